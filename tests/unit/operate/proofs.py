"""Proofs as runs make them, for the tests of what becomes of them."""

from __future__ import annotations

from typing import Any

from runtime.operate.proofs.proof import Did, Proof, ProofResult, SchedulesExplored, SeedsSimulated

__all__ = ["VERSION", "broken", "explored", "proof", "simulated"]

VERSION = "8e1d072af1669dd761ba4d6e0a0afe5c"


def explored(**bounds: int) -> SchedulesExplored:
    return SchedulesExplored({"faults_max": 2, "silences_max": 1, "states_max": 1_000_000, **bounds}, 767, 2_283, 20)


def simulated(
    first: int = 0, last: int = 99, *, workload: str = "trips", calm: bool = False, **of: Any
) -> SeedsSimulated:
    counts = {"seeds": last - first + 1, "steps": 44_708, "begun": 72, "begun_in": 6, **of}
    return SeedsSimulated(workload, calm, first_seed=first, last_seed=last, failpoints=65, failpoints_of=70, **counts)


def proof(did: Did | None = None, *, made_at_s: float = 100.0, **given: Any) -> Proof:
    """A clean one. `given` are other fields."""
    fields: dict[str, Any] = {"kind": "book-trip", "version": VERSION, "result": ProofResult.CLEAN, "amends": "0.2.0"}
    fields |= {"short_of": "", "broke": "", "shown_by": "", **given}
    return Proof(made_at_s=made_at_s, did=did or explored(), **fields)


def broken(did: Did | None = None, *, made_at_s: float = 100.0, **given: Any) -> Proof:
    told = {
        "result": ProofResult.BROKEN,
        "broke": "I5: a seat is left behind",
        "shown_by": "the client cancels",
        **given,
    }
    return proof(did, made_at_s=made_at_s, **told)
