"""Mutants of operators' acts on timers: what a moved one does, and which may be cancelled."""

from __future__ import annotations

from runtime.saga import timer_acts
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["TIMER_ACTS"]

_UNSEEN = "A timer that fires early or late breaks no promise, and sagas end all the same"
_TESTS = "tests/unit/saga/test_timer_acts.py"

TIMER_ACTS = (
    Mutant(
        "moved-timer-stays",
        "A timer that an operator moves fires when it would have fired anyway.",
        (Edit(timer_acts.carry_out, "saga.timers.append(SetTimer(timer, due_at_s, after_mail=is_limit))", "pass"),),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
    Mutant(
        "cancelled-timer-fires",
        "A timer that an operator cancels fires all the same.",
        (Edit(timer_acts.carry_out, "saga.timers.append(CancelTimer(timer))", "pass"),),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
    Mutant(
        "any-timer-may-be-cancelled",
        "The timeout of a step is cancelled, and its saga waits without end.",
        (Edit(timer_acts.refusal, "purpose in CANCELLABLE", "True"),),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
)
