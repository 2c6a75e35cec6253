"""The next version of a program: the same processes with other timeouts, budgets and deadlines.

later_version(program, dice) ──▶ Program ──▶ a catalogue that is rolled out over nodes of the first one, and back

None of these changes a saga's fingerprint, so that either version carries on the instances of the other.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.durable.behaviour import RetryPolicy
from runtime.testing.virtual.dice import Dice
from tests.proof.programs.program import Program, SagaPlan, StepPlan
from tests.proof.programs.shapes import DEADLINES_S, TIMEOUTS_S

__all__ = ["later_version"]


def later_version(program: Program, dice: Dice) -> Program:
    """All times are drawn anew, but not how often a handler runs, since the scripts of deeds depend on that.

    Pauses before retries do not grow: clients that ask again meanwhile would fill the mail faster than it empties.
    """
    delays_s = tuple(delay_s * dice.choose((1.0, 0.3)) for delay_s in program.retries.delays_s)
    return replace(
        program,
        sagas=tuple(_later_saga(one, dice) for one in program.sagas),
        retries=RetryPolicy(program.retries.immediate, delays_s),
    )


def _later_saga(saga: SagaPlan, dice: Dice) -> SagaPlan:
    return replace(
        saga,
        steps=tuple(_later_step(one, dice) for one in saga.steps),
        closing_within_s=dice.choose(TIMEOUTS_S),
        deadline_s=dice.choose(DEADLINES_S) if saga.deadline_s else 0.0,
    )


def _later_step(step: StepPlan, dice: Dice) -> StepPlan:
    asks_max = step.budget.asks_max + dice.below(3)
    return replace(step, timeout_s=dice.choose(TIMEOUTS_S), budget=replace(step.budget, asks_max=asks_max))
