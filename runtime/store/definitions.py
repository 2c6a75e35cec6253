"""A definition that actors were begun with, as a store keeps it: once for each version of a kind, and for good."""

from __future__ import annotations

from runtime.record import record

__all__ = ["DefinitionRow"]


@record(frozen=True, slots=True)
class DefinitionRow:
    """What a version of a kind is. Its key in the store is (kind, version)."""

    kind: str
    version: str  # as ActorSummary has it
    kept_at_s: float  # When a node that has this version first told it.
    body: bytes  # encoded; the store does not look into it
