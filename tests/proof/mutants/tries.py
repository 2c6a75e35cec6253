"""Mutants of second tries: an operator's of what is stuck, and those of what nodes may have died over."""

from __future__ import annotations

from runtime.durable.residence.suspects import Suspects
from runtime.saga import retry
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["TRIES"]

TRIES = (
    Mutant(
        "retry-asks-instead-of-undoing",
        "A step whose undo an operator has tried again is asked once more, as if it were still wanted.",
        (
            Edit(
                retry.retry,
                "progress.undo_attempts = 0\n            compensation.undo_again(saga, step, progress)",
                "_ask_again(saga, step, progress, ask)",
            ),
        ),
        workload="poisoned",
    ),
    Mutant(
        "retry-runs-the-do-twice",
        "An operator has a step tried again that is done, and it is asked once more instead of kept.",
        (Edit(retry.retry, "_keep_again(saga, step, progress, done_with)", "_ask_again(saga, step, progress, ask)"),),
        workload="poisoned",
    ),
    Mutant(
        "retry-forgets-the-answer",
        "What a step was answered, and could not be kept, is left out when it is tried again.",
        (
            Edit(
                retry._keep_again,
                "types[0].FromString(progress.unkept)",
                "types[0]()",
            ),
        ),
        workload="poisoned",
    ),
    Mutant(
        "retry-drops-the-timer",
        "A step that an operator has tried again is waited for without a timer.",
        (
            Edit(
                retry._ask_again,
                "ask(saga, step, progress)",
                "ask(saga, step, progress)\n    saga.timers.clear()",
            ),
        ),
        workload="poisoned",
    ),
    Mutant(
        "retry-leaves-it-stuck",
        "An operator's second try is accepted, and what is stuck stays marked as stuck.",
        (Edit(retry.retry, "saga.unstick(saga.steps[step.index])", "pass"),),
        workload="poisoned",
    ),
    Mutant(
        "retry-forgets-the-budget",
        "An undo that an operator has tried again has used up its budget: it is stuck at its first failure.",
        (Edit(retry.retry, "progress.undo_attempts = 0\n", "pass\n"),),
        workload="poisoned",
    ),
    Mutant(
        "deaths-have-no-budget",
        "A message that node after node has died over is run again all the same.",
        (Edit(Suspects.hold_trial, "if len(nodes) >= most:", "if not most:"),),
        workload="poisoned",
    ),
)
