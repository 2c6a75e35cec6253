"""Mutants of second tries: an operator's retry of a stuck step, and runs of a message over which nodes died."""

from __future__ import annotations

from runtime.durable.residence.suspects import Suspects
from runtime.saga import repair
from runtime.saga.nodes import step as steps
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["TRIES"]

TRIES = (
    Mutant(
        "retry-asks-instead-of-undoing",
        "When an operator retries an undo, the step is asked once more as if it were still wanted.",
        (Edit(steps.retry, "return undoing.undo(saga, step, task)", "return begin(saga, step, task)"),),
        workload="poisoned",
    ),
    Mutant(
        "retry-runs-the-do-twice",
        "When an operator retries a step that is done, it is asked once more, and its answer is not kept.",
        (Edit(steps.retry, "return _keep_again(saga, step, task)", "return begin(saga, step, task)"),),
        workload="poisoned",
    ),
    Mutant(
        "retry-forgets-the-answer",
        "When an operator retries a step, its answer, which could not be kept before, is left out.",
        (Edit(steps._keep_again, "types[0].FromString(task.unkept)", "types[0]()"),),
        workload="poisoned",
    ),
    Mutant(
        "retry-drops-the-timer",
        "A step that an operator retries is waited for without a timer.",
        (
            Edit(
                steps.retry,
                "exchange.refresh(task.do)\n        return begin(saga, step, task)",
                "exchange.refresh(task.do)\n        asked = begin(saga, step, task)\n"
                "        saga.timers.clear()\n        return asked",
            ),
        ),
        workload="poisoned",
    ),
    Mutant(
        "retry-leaves-it-stuck",
        "An operator's retry is accepted, and the step stays marked as stuck.",
        (Edit(repair._try_again, "saga.unstick(task)", "pass"),),
        workload="poisoned",
    ),
    Mutant(
        "retry-forgets-the-budget",
        "An undo that an operator retries has no budget left, and is stuck at its first failure.",
        (Edit(steps.retry, "exchange.refresh(task.undo)\n", "pass\n"),),
        workload="poisoned",
    ),
    Mutant(
        "deaths-have-no-budget",
        "A message over which node after node has died is run again without end.",
        (Edit(Suspects.hold_trial, "if len(nodes) >= most:", "if not most:"),),
        workload="poisoned",
    ),
)
