"""The next version of a program: the same processes with other timeouts, budgets and deadlines, and some other steps.

later_version(program, dice) ──▶ Program ──▶ a catalogue that is rolled out over nodes of the first one, and back

Times change no fingerprint, so that either version carries on the instances of the other. In some programs a saga has
other names for its steps, too, and new waits. Then only the next version carries on all instances, by a migration. In
some of these it knows a version between the two, which no node ever runs, and carries instances over by way of that.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.durable.behaviour import RetryPolicy
from runtime.testing.virtual.dice import Dice
from tests.proof.programs.program import Program, SagaPlan, StepPlan
from tests.proof.programs.shapes import DEADLINES_S, TIMEOUTS_S

__all__ = ["later_version"]

_OFTEN = 0.3
_RESTS_S = (0.5, 3.0)


def later_version(program: Program, dice: Dice) -> Program:
    """All times are drawn anew, but not how often a handler runs, since the scripts of deeds depend on that.

    Pauses before retries do not grow: clients that ask again meanwhile would fill the mail faster than it empties.
    """
    delays_s = tuple(delay_s * dice.choose((1.0, 0.3)) for delay_s in program.retries.delays_s)
    sagas = tuple(_later_saga(one, dice) for one in program.sagas)
    steps = dice.named("steps")
    return replace(
        program,
        sagas=tuple(_with_other_steps(one, steps) for one in sagas) if steps.chance(_OFTEN) else sagas,
        retries=RetryPolicy(program.retries.immediate, delays_s),
    )


def _later_saga(saga: SagaPlan, dice: Dice) -> SagaPlan:
    return replace(
        saga,
        steps=tuple(_later_step(one, dice) for one in saga.steps),
        closing_within_s=dice.choose(TIMEOUTS_S),
        deadline_s=dice.choose(DEADLINES_S) if saga.deadline_s else 0.0,
    )


def _with_other_steps(saga: SagaPlan, dice: Dice) -> SagaPlan:
    """The saga as one version later, or two, or as it is."""
    for _ in range(dice.choose((0, 1, 1, 2))):
        places = range(len(saga.steps))
        renamed = dice.some(places) or [0]
        rests_s = {index: dice.choose(_RESTS_S) for index in dice.some(places, _OFTEN)}
        saga = replace(saga, generation=saga.generation + 1, earlier=saga, renamed=frozenset(renamed), rests_s=rests_s)
    return saga


def _later_step(step: StepPlan, dice: Dice) -> StepPlan:
    asks_max = step.budget.asks_max + dice.below(3)
    return replace(step, timeout_s=dice.choose(TIMEOUTS_S), budget=replace(step.budget, asks_max=asks_max))
