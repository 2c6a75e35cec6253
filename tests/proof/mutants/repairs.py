"""Mutants of the acts of operators on sagas."""

from __future__ import annotations

from runtime.saga import compensation, halted, repair_checks
from runtime.saga.nodes import approval, publish
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["REPAIRS"]

REPAIRS = (
    Mutant(
        "another-digest-approved",
        "A person approves something else than the saga asks for.",
        (Edit(approval.refusal, "if act.digest != asked:", "if False:"),),
        workload="random",
    ),
    Mutant(
        "event-said-again",
        "An event that a saga publishes goes out twice.",
        (
            Edit(
                publish.begin,
                "    return DONE",
                "    saga.outgoing.append(saga.outgoing[-1])\n    return DONE",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "given-up-undo-counts-as-undone",
        "A saga of which an operator gave an undo up ends as compensated.",
        (Edit(compensation.close, "SagaRecord.ABANDONED if given_up else", ""),),
        workload="random",
    ),
    Mutant(
        "resume-forgets-what-came",
        "Answers and timers that came while a saga was suspended are dropped when it is resumed.",
        (Edit(halted.released, "held = list(record.held)", "held: list[HeldInput] = []"),),
        workload="random",
    ),
    Mutant(
        "suspended-saga-goes-on",
        "A suspended saga takes answers and timers as if it were not, and sends what comes next.",
        (Edit(halted.takes, "if saga.record.suspended:", "if False:"),),
        workload="random",
    ),
    Mutant(
        "stale-act-is-done",
        "An act that was decided on an older state of the saga is done all the same.",
        (Edit(repair_checks.refusal, "act.expected_revision != record.revision", "False"),),
        workload="random",
    ),
)
