"""Mutants of what becomes of instances when nodes have different versions of a saga."""

from __future__ import annotations

from runtime.durable.carriers import Carriers
from runtime.saga.behaviour import SagaBehaviour
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["VERSIONS"]

VERSIONS = (
    Mutant(
        "another-version's-instance-carried-on",
        "A saga carries on what was begun by another version of it, whose steps differ.",
        (
            Edit(
                SagaBehaviour.decide,
                "if state.definition and state.fingerprint != self.definition.fingerprint:",
                "if False:",
            ),
        ),
        workload="upgrade",
    ),
    Mutant(
        "another-version's-mail-passed-over",
        "What comes for an instance of another version counts as handled, and nothing is done.",
        (
            Edit(
                SagaBehaviour._not_ours,
                "raise NotCarried(error)",
                "return Decision(outcome=Outcome.IGNORED, note=error)",
            ),
        ),
        workload="upgrade",
    ),
    Mutant(
        "another-version's-timers-dropped",
        "A timer that falls due while nobody can carry its instance on has fired for nothing.",
        (Edit(SagaBehaviour._not_ours, "Decision(timers=(later,), outcome", "Decision(outcome"),),
        workload="upgrade",
    ),
    Mutant(
        "lent-and-nobody-told",
        "A node that lacks the version of an instance leaves it to one that has it, which never hears of it.",
        (Edit(Carriers.wake, "return self._signal(carrier[0], mesh_pb2.Signal(lend=lend))", "return True"),),
        workload="upgrade",
    ),
)
