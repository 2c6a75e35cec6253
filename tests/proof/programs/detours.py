"""What a saga has beside its steps: waits before them, choices around them, an early end, undos past a stuck one.

with_detours(program, dice) ──▶ Program

They are drawn by dice of their own and laid over a program that is drawn already. So a seed without any of them keeps
its program.
"""

from __future__ import annotations

from dataclasses import replace

from runtime.testing.virtual.dice import Dice
from tests.proof.programs.program import Detours, Program, Run, SagaPlan

__all__ = ["with_detours"]

_WAITS_S = (0.5, 3.0, 20.0)
_OFTEN = 0.3  # How many seeds have waits, how many choices, how many early ends.


def with_detours(program: Program, dice: Dice) -> Program:
    waits, choices, ends = (dice.chance(_OFTEN) for _ in range(3))
    plans: dict[str, SagaPlan] = {}
    for saga in program.sagas:
        detours = _drawn(saga, dice, waits=waits, choices=choices, ends=ends)
        plans[saga.kind] = replace(saga, detours=detours, undoes_past_stuck=dice.chance(_OFTEN))
    runs = tuple(_decided(run, plans[run.process], dice) if run.process in plans else run for run in program.runs)
    return replace(program, sagas=tuple(plans.values()), runs=runs)


def _drawn(saga: SagaPlan, dice: Dice, *, waits: bool, choices: bool, ends: bool) -> Detours:
    places = range(len(saga.steps))
    waited = dice.some(places, 0.4) if waits else []
    chosen = dice.some([index for index in places if not saga.steps[index].is_pivot], 0.4) if choices else []
    early = [index for index in places if not (saga.steps[index].is_pivot or saga.steps[index].past_pivot)]
    return Detours(
        waits_s={index: dice.choose(_WAITS_S) for index in waited},
        choices=frozenset(chosen),
        end_after=dice.choose(early) if ends and dice.chance(0.7) else None,
    )


def _decided(run: Run, saga: SagaPlan, dice: Dice) -> Run:
    """What each condition says in this run."""
    unwanted = frozenset(saga.steps[index].name for index in sorted(saga.detours.choices) if dice.chance(0.5))
    return replace(run, unwanted=unwanted, ends_early=saga.detours.end_after is not None and dice.chance(0.5))
