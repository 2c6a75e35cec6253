"""The sagas of one program, made as an author would write them: classes with steps, a flow, and functions.

    SagaPlan ──▶ Step for each StepPlan ──▶ Flow with an edge for each `before` ──▶ types.new_class(Saga)

The functions look up the run's deed in the program, so that one definition serves runs with different scripts.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from google.protobuf.message import Message

from runtime.saga.child import Child
from runtime.saga.each import Each
from runtime.saga.first_of import FirstOf
from runtime.saga.flow import Flow, Part
from runtime.saga.on import On, on
from runtime.saga.remind import Remind
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.wait import Wait
from runtime.saga.when import End, When
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.annotate import annotate
from tests.proof.programs.carried import check_generation, migration_to
from tests.proof.programs.detour_plan import ASKED, HELD, NAGGED, SAID
from tests.proof.programs.keys import WaitsBefore, keys_and_waits
from tests.proof.programs.locks import lock_of
from tests.proof.programs.nagging import reminder_of
from tests.proof.programs.news import approval_of, event_of, news_of
from tests.proof.programs.origin import starting_event
from tests.proof.programs.program import CHILD, Deed, Program, Run, SagaPlan, StepPlan
from tests.proof.programs.vocabulary import SLOTS, STARTING, Words, words_of

__all__ = ["RAISED", "saga_class"]

RAISED = "raised on purpose"

_CHILD_TIMEOUT_S = 12.0
_CHILD_PACE_S = 5.0


class _Raised(Exception):
    """An author's mistake."""

    def __init__(self) -> None:
        super().__init__(RAISED)


def saga_class(program: Program, plan: SagaPlan) -> type[Saga[Any]]:
    """The class of a saga. Raises InvalidDefinition when the plan makes no sense."""
    return _SagaMaker(program, plan).made()


class _SagaMaker:
    def __init__(self, program: Program, plan: SagaPlan) -> None:
        self._plan = plan
        self._program = program
        self._slot = next(slot for slot in SLOTS if slot.kind == plan.kind)
        runs = [run for run in program.runs if run.process == plan.kind]
        self._runs: Mapping[str, Run] = {run.name: run for run in runs}
        self._deeds: Mapping[str, Deed] = {deed.name: deed for deed in program.all_deeds()}

    def made(self) -> type[Saga[Any]]:
        plan = self._plan
        keys, waits_before = keys_and_waits(plan, self._slot.state)
        parts, edges = self._flow(waits_before)
        closing = tuple(
            Step(self._do(name, words_of(kind)), done=words_of(kind).changed, timeout=plan.closing_within_s)
            for name, kind in zip(plan.closing_names, plan.closing, strict=True)
        )

        def body(namespace: dict[str, Any]) -> None:
            namespace["started_by"] = tuple(self._starts(event) for event in STARTING[: plan.starting])
            namespace["flow"] = Flow(tuple(parts.values()), tuple(edges))
            namespace.update(parts)
            namespace.update(self._reminders(parts))
            namespace.update(keys)
            namespace["closing"] = closing
            if plan.earlier is not None:
                earlier = saga_class(self._program, plan.earlier)
                namespace["carries"] = types.MappingProxyType({earlier: migration_to(plan, self._slot.state)})

        undo = "independent" if plan.undoes_past_stuck else "strict"
        keywords: dict[str, Any] = {"kind": plan.kind, "deadline": plan.deadline_s, "undo": undo}
        state: Any = self._slot.state
        made: type[Saga[Any]] = types.new_class(plan.kind.title(), (Saga[state],), keywords, body)
        return made

    def _flow(self, waits_before: WaitsBefore) -> tuple[dict[str, Part], list[tuple[Part, Part]]]:
        """The parts by name, and what waits for what."""
        plan, detours = self._plan, self._plan.detours
        steps = [self._part(index, step) for index, step in enumerate(plan.steps)]
        parts: dict[str, Part] = {plan.called(index): part for index, part in enumerate(steps)}
        edges: list[tuple[Part, Part]] = []
        behind: dict[int, Part] = {}  # What comes behind a step has to wait for this, too.
        if detours.end_after is not None:
            end = parts["end"] = End()
            enough = parts["enough"] = behind[detours.end_after] = When(self._ends_early(), then=end)
            edges += [(steps[detours.end_after], enough), (enough, end)]
        child = self._child(parts)
        for index, step in enumerate(plan.steps):
            first: Part = steps[index]
            if index in detours.choices:
                first = parts[f"{step.name}_wanted"] = When(self._wants(step.name), then=first)
                edges.append((first, steps[index]))
            if index in detours.waits_s:
                wait = parts[f"{step.name}_wait"] = Wait(detours.waits_s[index])
                edges.append((wait, first))
                first = wait
            for name, awaited in waits_before(index).items():
                parts[name] = awaited
                edges.append((awaited, first))
                first = awaited
            if index in plan.rests_s:
                rest = parts[f"{step.name}_rest"] = Wait(plan.rests_s[index])
                edges.append((rest, first))
                first = rest
            if index in detours.events_s:
                event = parts[f"{step.name}_event"] = event_of(step, detours.events_s[index], self._slot.state)
                edges.append((event, first))
                first = event
            for name, part in self._beside(index, step).items():
                parts[name] = part
                edges.append((part, first))
                first = part
            edges += [(steps[before], first) for before in step.before]
            edges += [(behind[before], first) for before in step.before if before in behind]
            edges += [(one, first) for one in child if not step.before]
        return parts, edges

    def _beside(self, index: int, step: StepPlan) -> dict[str, Part]:
        """What comes before a step, the last first: news that the saga says itself, a wait for a person, a lock."""
        found: dict[str, Part] = {}
        detours, state_type = self._plan.detours, self._slot.state
        if index in detours.said:
            found[f"{step.name}{SAID}"] = news_of(self._plan.steps[detours.said[index]].name, state_type)
        if index in detours.approvals_s:
            goes_on = bool(len(detours.approvals_s) % 2)
            found[f"{step.name}{ASKED}"] = approval_of(step.name, detours.approvals_s[index], state_type, goes_on)
        if index in detours.locks:
            found[f"{step.name}{HELD}"] = lock_of(detours.locks[index], state_type)
        return found

    def _reminders(self, parts: Mapping[str, Part]) -> dict[str, Remind]:
        found = {}
        for index, plan in self._plan.detours.reminders.items():
            name, part = self._plan.steps[index].name, parts[self._plan.called(index)]
            found[f"{name}{NAGGED}"] = reminder_of(part, name, plan, self._slot.state)
        return found

    def _child(self, parts: dict[str, Part]) -> list[Part]:
        """The child that comes before all steps, if there is one."""
        plan = next((one for one in self._program.sagas if one.kind == self._plan.child), None)
        if plan is None:
            return []
        runs = {run.parent: run for run in self._program.runs if run.parent}

        def start(state: Any) -> Message:
            return starting_event(runs[state.run])

        annotate(start, state=self._slot.state, result=pb.Begun)
        may_stay = "its effects may stay" if self._plan.child_may_stay else ""
        saga = saga_class(self._program, plan)
        parts[CHILD] = Child(saga, start=start, timeout=_CHILD_TIMEOUT_S, every=_CHILD_PACE_S, may_stay=may_stay)
        return [parts[CHILD]]

    def _part(self, index: int, step: StepPlan) -> Part:
        detours = self._plan.detours
        if index in detours.alternatives:
            first = replace(step, past_pivot=False, has_undo=True, when_spent="stuck") if step.past_pivot else step
            a, b = f"{step.name}[a]", f"{step.name}[b]"
            return FirstOf(a=self._step(first, a), b=self._step(step, b))
        if index not in detours.lists:
            return self._step(step, step.name)
        plan = detours.lists[index]
        one = replace(self._step(step, step.name), do=self._do_item(step), on_answer=())
        if step.has_undo:
            one = replace(one, undo=self._undo_item(step))
        if plan.in_order:
            return Each(self._items(step.name), one, in_order=True, tolerate=plan.tolerate)
        return Each(self._items(step.name), one, at_once=plan.at_once, tolerate=plan.tolerate)

    def _step(self, step: StepPlan, path: str) -> Step:
        words = words_of(step.kind)
        return Step(
            do=self._do(path, words),
            done=words.changed,
            refused=() if step.past_pivot else words.refused,
            ignores=words.noted,
            undo=self._undo(path, words) if step.has_undo else None,
            undone=words.restored if step.has_undo else (),
            no_undo="" if step.has_undo else "its effect may stay",
            timeout=step.timeout_s,
            pivot=step.is_pivot,
            on_answer=self._keep(path, words),
            budget=step.budget,
            past_pivot=step.when_spent,
            probe=step.probe,
            working=words.busy if step.every_s else (),
            undo_working=words.busy if step.every_s and step.has_undo else (),
            every=step.every_s or None,
        )

    # --- the functions that an author writes ---

    def _starts(self, event_type: type[Message]) -> On:
        state_type, runs = self._slot.state, self._runs

        def begin(event: Any) -> Message:
            name = event.run if event.run in runs else f"{self._plan.kind}|{event.key}"
            run = runs[name]  # The event that starts a follower names the run of its leader.
            if run.begin_raises:
                raise _Raised
            made: Message = state_type(key=event.key, run=run.name, generation=self._plan.generation)
            return made

        annotate(begin, event=event_type, result=state_type)
        where = {"process": self._plan.process} if self._plan.is_conditional else None
        return on(event_type, begin, where=where, key=self._plan.key_path)

    def _wants(self, step: str) -> Callable[[Any], bool]:
        def is_wanted(state: Any) -> bool:
            return step not in self._runs[state.run].unwanted

        return annotate(is_wanted, state=self._slot.state, result=bool)

    def _ends_early(self) -> Callable[[Any], bool]:
        def ends_early(state: Any) -> bool:
            return self._runs[state.run].ends_early

        return annotate(ends_early, state=self._slot.state, result=bool)

    def _do(self, name: str, words: Words) -> Callable[..., Message]:
        def do(state: Any) -> Message:
            deed = self._deed(state, name)
            if deed.do_raises:
                raise _Raised
            ballast = bytes(deed.do.ballast_bytes)
            made: Message = words.change(key=deed.key, deed=deed.name, amount=deed.amount, ballast=ballast)
            return made

        return annotate(do, state=self._slot.state, result=words.change)

    def _undo(self, name: str, words: Words) -> Callable[..., Message | None]:
        def undo(state: Any, reason: str) -> Message | None:
            deed = self._deed(state, name)
            if deed.undo_raises:
                raise _Raised
            if deed.name in state.kept and state.kept[-1] != deed.name:
                raise AssertionError(f"{deed.name} is undone with a state that is later than its answer: {state.kept}")
            if not deed.undo_needed:
                return None
            made: Message = words.restore(key=deed.key, deed=deed.name, ballast=bytes(deed.undo.ballast_bytes))
            return made

        return annotate(undo, state=self._slot.state, reason=str, result=words.restore | None)

    def _items(self, step: str) -> Callable[[Any], list[str]]:
        def items(state: Any) -> list[str]:
            return [deed.step.partition("[")[2].removesuffix("]") for deed in self._runs[state.run].inner[step]]

        return annotate(items, state=self._slot.state, result=list[str])

    def _do_item(self, step: StepPlan) -> Callable[..., Message]:
        words = words_of(step.kind)

        def do(state: Any, item: str) -> Message:
            return self._do(f"{step.name}[{item}]", words)(state)

        return annotate(do, state=self._slot.state, item=str, result=words.change)

    def _undo_item(self, step: StepPlan) -> Callable[..., Message | None]:
        words = words_of(step.kind)

        def undo(state: Any, item: str, reason: str) -> Message | None:
            return self._undo(f"{step.name}[{item}]", words)(state, reason)

        return annotate(undo, state=self._slot.state, item=str, reason=str, result=words.restore | None)

    def _keep(self, name: str, words: Words) -> Callable[[Any, Any], None]:
        def keep(state: Any, answer: Any) -> None:
            deed = self._deed(state, name)
            if deed.keep_raises:
                raise _Raised
            state.kept.append(answer.deed)

        return annotate(keep, state=self._slot.state, answer=words.changed, result=None)

    def _deed(self, state: Any, step: str) -> Deed:
        check_generation(state, self._plan)
        return self._deeds[f"{state.run}#{step}"]
