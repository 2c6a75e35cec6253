"""What runs of tests have proven of a definition, or broken, as a store keeps it: the newest few of each version."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.record import record

__all__ = ["PROOFS_KEPT_MAX", "ProofPlace", "ProofRow"]

PROOFS_KEPT_MAX = 20
"""Of each version so many clean proofs are kept, and so many broken ones. Older ones go when newer ones are kept."""


@record(frozen=True, slots=True)
class ProofRow:
    """One proof. Its key in the store is (kind, version, made_at_s, id)."""

    kind: str
    version: str  # as DefinitionRow has it
    made_at_s: float  # When the run ended, by the clock of the machine where it ran.
    id: bytes  # made from the content, so that a proof that is added twice is kept once
    result: str  # clean or broken; the newest of each are kept
    body: bytes  # encoded; the store does not look into it


@dataclass(frozen=True, slots=True, order=True)
class ProofPlace:
    """The next page begins behind it, whether or not the row is still there."""

    kind: str
    version: str
    made_at_s: float
    id: bytes

    @classmethod
    def of(cls, row: ProofRow) -> ProofPlace:
        return cls(row.kind, row.version, row.made_at_s, row.id)
