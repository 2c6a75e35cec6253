"""Shapes of processes: directed graphs of steps for sagas, chains of kinds for relays.

steps before the pivot, in any order that the edges allow ──▶ the pivot ──▶ steps after it, likewise
"""

from __future__ import annotations

from runtime.saga.step import Budget
from runtime.testing.virtual.dice import Dice
from tests.proof.programs.program import RelayPlan, SagaPlan, StepPlan, Temper
from tests.proof.programs.vocabulary import PARTICIPANTS, RELAY_PROCESS, STARTING, Slot

__all__ = ["DEADLINES_S", "TIMEOUTS_S", "draw_relay", "draw_saga"]

TIMEOUTS_S = (1.5, 5.0, 12.0)
DEADLINES_S = (60.0, 15.0, 4.0)
_FIRM_ASKS_MIN = 2  # a step that is silent at first is heard of when it is asked again


def draw_saga(dice: Dice, temper: Temper, slot: Slot, *, is_alone: bool) -> SagaPlan:
    """A saga that its own checks accept. One that is alone may be started by an event whatever is in it."""
    steps: list[StepPlan] = []
    for _ in range(1 + dice.below(4)):
        steps.append(_step(dice, temper, len(steps), _before(dice, temper, len(steps))))
    if temper.has("pivots") and dice.chance(0.7):
        pivot = len(steps)
        steps.append(_step(dice, temper, pivot, _exits(steps), is_pivot=True))
        for _ in range(dice.below(3)):
            before = _before(dice, temper, len(steps), first=pivot)
            steps.append(_step(dice, temper, len(steps), before, past_pivot=True))
    closing = [dice.choose(PARTICIPANTS).kind for _ in range(dice.below(3))] if temper.has("closing") else []
    return SagaPlan(
        kind=slot.kind,
        process=slot.process,
        steps=tuple(steps),
        closing=tuple(closing),
        closing_within_s=dice.choose(TIMEOUTS_S),
        deadline_s=dice.choose(DEADLINES_S) if temper.has("deadlines") and dice.chance(0.5) else 0.0,
        starting=1 + dice.below(len(STARTING)),
        is_conditional=not is_alone or dice.chance(0.5),
        key_path=dice.choose(("", "place.key")),
    )


def draw_relay(dice: Dice) -> RelayPlan:
    """A chain of kinds, none of them twice."""
    kinds = [words.kind for words in PARTICIPANTS]
    chain = [kinds.pop(dice.below(len(kinds))) for _ in range(1 + dice.below(len(kinds)))]
    return RelayPlan(RELAY_PROCESS, tuple(chain))


def _step(
    dice: Dice,
    temper: Temper,
    index: int,
    before: tuple[int, ...],
    *,
    is_pivot: bool = False,
    past_pivot: bool = False,
) -> StepPlan:
    has_undo = not past_pivot and dice.chance(0.5 if is_pivot else 0.85)
    is_firm = past_pivot or (is_pivot and not has_undo)
    asks_max = _FIRM_ASKS_MIN + dice.below(3) if is_firm else 1 + dice.below(3)
    return StepPlan(
        name=f"s{index}",
        kind=dice.choose(PARTICIPANTS).kind,
        before=before,
        has_undo=has_undo,
        is_pivot=is_pivot,
        past_pivot=past_pivot,
        timeout_s=dice.choose(TIMEOUTS_S),
        budget=Budget(asks_max, backoff=dice.choose((0.2, 1.0)), backoff_max=4.0),
    )


def _before(dice: Dice, temper: Temper, index: int, first: int = 0) -> tuple[int, ...]:
    """What a step waits for, of those from `first` on: the one before it, or any of them."""
    if index == first:
        return ()
    if not temper.has("branches"):
        return (index - 1,)
    chosen = dice.some(range(first, index), 0.5)
    if first and not chosen:
        return (first,)  # after the pivot everything waits for it, if not by way of others
    return tuple(chosen)


def _exits(steps: list[StepPlan]) -> tuple[int, ...]:
    waited_for = [index for step in steps for index in step.before]
    return tuple(index for index in range(len(steps)) if index not in waited_for)
