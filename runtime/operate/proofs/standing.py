"""Whether a version of a saga counts as proven: a function of what is kept of it.

broken       a run broke a promise, and no later run was clean that did the same, or more
passed       at least one run was clean, and went as far as it should
not proven   neither: nobody has added a proof, or only of runs that prove too little
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from runtime.operate.proofs.proof import Proof, ProofResult

__all__ = ["ProofStanding", "Proven", "standing_of", "stands"]


class Proven(StrEnum):
    BROKEN = "broken"
    PASSED = "passed"
    NOT_PROVEN = "not proven"


@dataclass(frozen=True, slots=True)
class ProofStanding:
    """How one version stands."""

    standing: Proven
    since_s: float  # when the newest proof that says so was made; 0.0 if none does
    broken: tuple[Proof, ...]  # those whose broken promise stands, the newest first
    passed: tuple[Proof, ...]  # clean runs that went as far as they should, the newest first

    @property
    def text(self) -> str:
        return self.standing.value


def standing_of(proofs: Iterable[Proof]) -> ProofStanding:
    """Of all proofs of one version, in any order."""
    newest = sorted(proofs, key=lambda one: one.made_at_s, reverse=True)
    broken = tuple(one for one in newest if stands(one, newest))
    passed = tuple(one for one in newest if one.is_whole)
    standing = Proven.BROKEN if broken else Proven.PASSED if passed else Proven.NOT_PROVEN
    says_so = broken or passed
    return ProofStanding(standing, says_so[0].made_at_s if says_so else 0.0, broken, passed)


def stands(proof: Proof, others: Sequence[Proof]) -> bool:
    """Whether it is of a broken promise that no other proof has cleared."""
    return proof.result is ProofResult.BROKEN and not any(one.clears(proof) for one in others)
