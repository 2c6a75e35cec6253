"""Shapes of processes: directed graphs of steps for sagas, chains of kinds for relays.

steps before the pivot, in any order that the edges allow ──▶ the pivot ──▶ steps after it, likewise
"""

from __future__ import annotations

from runtime.saga.step import Budget
from runtime.testing.virtual.dice import Dice
from tests.proof.programs.program import Features, RelayPlan, SagaPlan, StepPlan
from tests.proof.programs.vocabulary import PARTICIPANTS, RELAY_PROCESS, STARTING, Slot

__all__ = ["DEADLINES_S", "TIMEOUTS_S", "draw_relay", "draw_saga"]

_PACE_S = 1.0
TIMEOUTS_S = (1.5, 5.0, 12.0)
DEADLINES_S = (60.0, 15.0, 4.0)
_FIRM_ASKS_MIN = 2  # A step that is silent at first answers when it is asked again.


def draw_saga(dice: Dice, features: Features, slot: Slot, *, is_alone: bool) -> SagaPlan:
    """Draw a saga that its own checks accept. Only a single saga may start on an event without a condition."""
    steps: list[StepPlan] = []
    for _ in range(1 + dice.below(4)):
        steps.append(_step(dice, features, len(steps), _before(dice, features, len(steps))))
    if features.has("pivots") and dice.chance(0.7):
        pivot = len(steps)
        steps.append(_step(dice, features, pivot, _exits(steps), is_pivot=True))
        for _ in range(dice.below(3)):
            before = _before(dice, features, len(steps), first=pivot)
            steps.append(_step(dice, features, len(steps), before, past_pivot=True))
    closing = [dice.choose(PARTICIPANTS).kind for _ in range(dice.below(3))] if features.has("closing") else []
    return SagaPlan(
        kind=slot.kind,
        process=slot.process,
        steps=tuple(steps),
        closing=tuple(closing),
        closing_within_s=dice.choose(TIMEOUTS_S),
        deadline_s=dice.choose(DEADLINES_S) if features.has("deadlines") and dice.chance(0.5) else 0.0,
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
    features: Features,
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
        every_s=_PACE_S,
    )


def _before(dice: Dice, features: Features, index: int, first: int = 0) -> tuple[int, ...]:
    """The steps for which a step waits, of those from `first` on: the one before it, or any of them."""
    if index == first:
        return ()
    if not features.has("branches"):
        return (index - 1,)
    chosen = dice.some(range(first, index), 0.5)
    if first and not chosen:
        return (first,)  # After the pivot every step waits for it, directly or by way of others.
    return tuple(chosen)


def _exits(steps: list[StepPlan]) -> tuple[int, ...]:
    waited_for = [index for step in steps for index in step.before]
    return tuple(index for index in range(len(steps)) if index not in waited_for)
