"""What a saga has beside plain steps: waits, events, approvals, choices, ends, lists, alternatives, and so on.

with_detours(program, dice) ──▶ Program

They are drawn by dice of their own and laid over a program that is drawn already. So a seed without any of them keeps
its program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runtime.saga.probe import ASK_AGAIN, REFUSED, Probe
from runtime.testing.virtual.dice import Dice
from tests.proof.programs.detour_plan import KEY_NAMES, LOCK_NAMES, Detours, KeyPlan, ListPlan, LockPlan, RemindPlan
from tests.proof.programs.program import Deed, Program, Run, SagaPlan, StepPlan

__all__ = ["with_detours"]

_WAITS_S = (0.5, 3.0, 20.0)
_EVENTS_S = (1.0, 6.0)
_APPROVALS_S = (2.0, 8.0)
_LOCKS_WITHIN_S = (4.0, 30.0)
_LOCKS_EXPIRE_S = (None, None, 1.0)
_REMIND_S = (0.5, 3.0)
_OFTEN = 0.3  # How many seeds have waits, how many choices, and so on.

DrawDeed = Callable[[str, StepPlan], Deed]
"""The deed of this name, of this step."""


def with_detours(program: Program, dice: Dice, draw_deed: DrawDeed) -> Program:
    waits, choices, ends = (dice.chance(_OFTEN) for _ in range(3))
    wholes = dice.named("wholes")
    events = dice.named("events")
    has_events = events.chance(_OFTEN)
    lists, alternatives = wholes.chance(_OFTEN), wholes.chance(_OFTEN)
    plans: dict[str, SagaPlan] = {}
    children = [saga.child for saga in program.sagas]
    for saga in program.sagas:
        detours = _drawn(saga, dice, waits=waits, choices=choices, ends=ends)
        detours = _with_wholes(saga, detours, wholes, lists=lists, alternatives=alternatives)
        if has_events:
            awaited = events.some(range(len(saga.steps)), 0.4)
            detours = replace(detours, events_s={index: events.choose(_EVENTS_S) for index in awaited})
        detours = _with_people_and_news(saga, detours, dice.named(f"people and news of {saga.kind}"))
        detours = _with_locks(saga, detours, dice.named(f"locks of {saga.kind}"))
        detours = _with_keys(saga, detours, dice.named(f"keys of {saga.kind}"), is_child=saga.kind in children)
        detours = _with_reminders(saga, detours, dice.named(f"reminders of {saga.kind}"))
        plans[saga.kind] = replace(saga, detours=detours, undoes_past_stuck=dice.chance(_OFTEN))
    runs = tuple(_decided(run, plans[run.process], dice) if run.process in plans else run for run in program.runs)
    runs = tuple(_filled(run, plans[run.process], wholes, draw_deed) if run.process in plans else run for run in runs)
    policies = dice.named("past pivot")
    probes = dice.named("probes")
    has_probes = probes.chance(_OFTEN)
    sagas = tuple(_with_policies(saga, runs, policies) for saga in plans.values())
    sagas = tuple(_with_probes(saga, probes) for saga in sagas) if has_probes else sagas
    return replace(program, sagas=sagas, runs=runs)


def _with_policies(saga: SagaPlan, runs: tuple[Run, ...], dice: Dice) -> SagaPlan:
    """What is declared of steps past the pivot. What fails for good is not asked for ever."""
    steps = list(saga.steps)
    for index, step in enumerate(steps):
        if not step.past_pivot:
            continue
        deeds = [deed for run in runs if run.process == saga.kind for deed in run.deeds_of(index)]
        ends = any(deed.do.is_poison or deed.do_raises for deed in deeds)
        steps[index] = replace(step, when_spent=dice.choose(("stuck", "skip", "skip" if ends else "retry")))
    return replace(saga, steps=tuple(steps))


def _with_probes(saga: SagaPlan, dice: Dice) -> SagaPlan:
    """Which steps are probed before they fail; also those within lists and alternatives."""
    probed = dice.some(range(len(saga.steps)), 0.6)
    steps = list(saga.steps)
    for index in probed:
        probe = Probe(absent=dice.choose((REFUSED, ASK_AGAIN)), asks_max=1 + dice.below(3))
        steps[index] = replace(steps[index], probe=probe)
    return replace(saga, steps=tuple(steps))


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


def _with_people_and_news(saga: SagaPlan, detours: Detours, dice: Dice) -> Detours:
    """Approvals before steps from which there is a way back, and events that the saga says itself."""
    places = range(len(saga.steps))
    early = [index for index in places if not saga.steps[index].past_pivot]
    asked = dice.some(early, 0.4) if dice.chance(_OFTEN) else []
    said = dice.some(places, 0.4) if dice.chance(_OFTEN) else []
    awaited = sorted(detours.events_s) or [*places]
    return replace(
        detours,
        approvals_s={index: dice.choose(_APPROVALS_S) for index in asked},
        said={index: dice.choose(awaited) for index in said},
    )


def _with_locks(saga: SagaPlan, detours: Detours, dice: Dice) -> Detours:
    """Locks before steps from which there is a way back, on so few keys that sagas wait for each other."""
    early = [index for index, step in enumerate(saga.steps) if not step.past_pivot]
    locked = dice.some(early, 0.5) if dice.chance(_OFTEN) else []
    plans = {
        index: LockPlan(
            name=dice.choose(LOCK_NAMES),
            key=dice.choose(("one", "two", "")),
            within_s=dice.choose(_LOCKS_WITHIN_S),
            expires_s=dice.choose(_LOCKS_EXPIRE_S),
        )
        for index in locked
    }
    return replace(detours, locks=plans)


def _with_keys(saga: SagaPlan, detours: Detours, dice: Dice, *, is_child: bool) -> Detours:
    """Keys that are told before a step from which there is a way back, and there waited by.

    A child never learns what another instance learns, since one that is stuck over that would keep its parent waiting.
    """
    if not dice.chance(_OFTEN):
        return detours
    told = [index for index in range(len(saga.steps)) if index not in detours.lists]
    ways = [(one, later) for one in told for later in saga.later_than(one) if not saga.steps[later].past_pivot]
    plans = []
    for name in KEY_NAMES if ways else ():
        learned, waiting = dice.choose(ways)
        again = [one for one in saga.later_than(waiting) if not saga.steps[one].past_pivot]
        waits = [waiting, *(again[:1] if dice.chance(0.3) else ())]
        changed = [one for one in saga.later_than(learned) if one in told]
        plans.append(
            KeyPlan(
                name,
                learned,
                moved=dice.choose(changed) if changed and dice.chance(0.4) else None,
                dropped=dice.choose(changed) if changed and dice.chance(0.2) else None,
                is_shared=dice.chance(0.5) and not is_child,
                sticks=dice.chance(0.4),
                discards=dice.chance(0.5),
                waits_s={index: dice.choose(_EVENTS_S) for index in waits},
            )
        )
    return replace(detours, keys=tuple(dice.some(plans, 0.8)))


def _with_reminders(saga: SagaPlan, detours: Detours, dice: Dice) -> Detours:
    """Reminders of steps, of lists and of alternatives."""
    reminded = dice.some(range(len(saga.steps)), 0.5) if dice.chance(_OFTEN) else []
    plans = {
        index: RemindPlan(dice.choose(_REMIND_S), every_s=dice.choose(_REMIND_S), times=1 + dice.below(3))
        for index in reminded
    }
    return replace(detours, reminders=plans)


def _with_wholes(saga: SagaPlan, detours: Detours, dice: Dice, *, lists: bool, alternatives: bool) -> Detours:
    free = [index for index, step in enumerate(saga.steps) if not step.is_pivot]
    listed = dice.some(free, 0.4) if lists else []
    others = [index for index in free if index not in listed]
    plans = {}
    for index in listed:
        tolerate = 0 if saga.steps[index].past_pivot else dice.below(2)
        in_order = dice.named(f"{saga.kind} {index} in order").chance(0.4)
        plans[index] = ListPlan(at_once=1 + dice.below(3), tolerate=tolerate, in_order=in_order)
    return replace(detours, lists=plans, alternatives=frozenset(dice.some(others, 0.4) if alternatives else ()))


def _filled(run: Run, saga: SagaPlan, dice: Dice, draw_deed: DrawDeed) -> Run:
    """The deeds of each item, and of each alternative."""
    inner = {}
    for index, step in enumerate(saga.steps):
        if saga.detours.is_whole(index):
            names = [str(number) for number in range(dice.below(4))] if index in saga.detours.lists else ["a", "b"]
            # Past the pivot the first of alternatives may be refused, and is undone when it has failed.
            is_firm = step.past_pivot and index in saga.detours.alternatives
            first = replace(step, past_pivot=False, has_undo=True) if is_firm else step
            steps = [first, *[step] * len(names)]
            drawn = zip(names, steps, strict=False)
            inner[step.name] = tuple(draw_deed(f"{run.name}#{step.name}[{name}]", one) for name, one in drawn)
    return replace(run, inner=inner)


def _decided(run: Run, saga: SagaPlan, dice: Dice) -> Run:
    """What each condition says in this run."""
    unwanted = frozenset(saga.steps[index].name for index in sorted(saga.detours.choices) if dice.chance(0.5))
    return replace(run, unwanted=unwanted, ends_early=saga.detours.end_after is not None and dice.chance(0.5))
