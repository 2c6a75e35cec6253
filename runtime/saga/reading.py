"""From an author's class to a Definition: types from annotations, order and roles from the flow.

Everything that reflects on code happens here, once, when the class is made.
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import RUNTIMES_OWN, contract_of, is_message_type
from runtime.durations import in_seconds
from runtime.errors import InvalidDefinition
from runtime.protos import saga_pb2
from runtime.saga.definition import Definition, Meaning, Role, StepDefinition, full_name
from runtime.saga.functions import called, check_state, command_of, parameter_of, returned_by, takes, with_reason
from runtime.saga.on import On
from runtime.saga.patience import check_budget, check_pace, check_timeout
from runtime.saga.step import Flow, MessageTypes, Step

__all__ = ["Declaration", "message_types", "read"]

_RECORDED_AS = "tasks"
"""How instances are recorded. Another word here keeps this build from instances whose records it cannot read."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What an author's class says, before it is read."""

    name: str
    title: str
    state_type: type[Message]
    steps: Mapping[str, Step]  # by attribute
    flow: Flow
    closing: Mapping[str, Step]  # asked one after another once all is undone
    starts: tuple[On, ...]
    deadline_s: float  # 0: none


def message_types(declared: MessageTypes, where: str) -> tuple[type[Message], ...]:
    """One type or several as a tuple. Raises InvalidDefinition for what is no message type."""
    several = declared if isinstance(declared, tuple) else (declared,)
    for one in several:
        if isinstance(one, Message):
            raise InvalidDefinition(f"{where}: an object of {full_name(type(one))} is no message type; name its class")
        if not is_message_type(one):
            hint = "; several stand in a tuple" if isinstance(one, list | set | frozenset | types.UnionType) else ""
            raise InvalidDefinition(f"{where}: {one!r} is no message type{hint}")
    return several


def _check_answers(answers: Sequence[type[Message]], where: str) -> None:
    for one in answers:
        if one.DESCRIPTOR.file.package == RUNTIMES_OWN:
            raise InvalidDefinition(
                f"{where}: {full_name(one)} is the runtime's own; a step is answered by your services"
            )


def read(declared: Declaration) -> Definition:
    """A definition that is well formed; whether it makes sense, `checks` says. Raises InvalidDefinition."""
    title, flow = declared.title, declared.flow
    names = {step: name for name, step in declared.steps.items()}
    order = _in_order(title, flow, names)
    past = _past_pivot(flow, order)
    steps = [_step(declared, names[step], index, step, _role(step, past)) for index, step in enumerate(order)]
    steps = _linked(steps, order, flow)
    for name, step in declared.closing.items():
        closing = _step(declared, name, len(steps), step, Role.CLOSING)
        # An author's step may have the name. Its timer is another one then: no identifier has a space.
        steps.append(replace(closing, timer=f"closing {name}") if name in declared.steps else closing)
    fingerprint = _fingerprint(declared, steps)
    return Definition(
        name=declared.name,
        title=title,
        state_type=declared.state_type,
        key_field=_key_field(declared),
        starts=declared.starts,
        steps=tuple(steps),
        closing_from=len(order),
        entries=tuple(step.index for step in steps[: len(order)] if not step.before),
        pivot_index=next((step.index for step in steps if step.role is Role.PIVOT), None),
        deadline_s=declared.deadline_s,
        fingerprint=fingerprint,
        template=_template(declared, fingerprint, steps),
    )


def _in_order(title: str, flow: Flow, names: Mapping[Step, str]) -> list[Step]:
    """The steps so that each comes after those it waits for, else as written. Raises when one is there twice."""
    seen: set[Step] = set()
    for step in flow.steps:
        if step not in names:
            raise InvalidDefinition(f"{title}.flow: a step is not an attribute of {title}; give each step a name there")
        if step in seen:
            raise InvalidDefinition(f"{title}.{names[step]}: the step is in the flow twice")
        seen.add(step)
    if any(one not in seen for edge in flow.edges for one in edge):
        raise InvalidDefinition(f"{title}.flow: a step waits for one that is not in the flow; join them by >>")
    waits_for: dict[Step, list[Step]] = {step: [] for step in flow.steps}
    for earlier, later in flow.edges:
        waits_for[later].append(earlier)
    sorter, order = TopologicalSorter(waits_for), list[Step]()
    try:
        sorter.prepare()
    except CycleError as error:
        circle = ", ".join(names[step] for step in flow.steps if step in error.args[1])
        raise InvalidDefinition(
            f"{title}.flow: none of {circle} could ever begin, for each waits for another"
        ) from error
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=flow.steps.index)
        order.extend(ready)
        sorter.done(*ready)
    return order


def _past_pivot(flow: Flow, order: Sequence[Step]) -> frozenset[Step]:
    past: set[Step] = set()
    for step in order:
        if any(b is step and (a.pivot or a in past) for a, b in flow.edges):
            past.add(step)
    return frozenset(past)


def _role(step: Step, past: frozenset[Step]) -> Role:
    if step.pivot:
        return Role.PIVOT
    return Role.RETRIABLE if step in past else Role.COMPENSATABLE


def _step(declared_in: Declaration, name: str, index: int, step: Step, role: Role) -> StepDefinition:
    where, state_type = f"{declared_in.title}.{name}", declared_in.state_type
    if not name.isidentifier():
        raise InvalidDefinition(f"{where}: the name of a step is an identifier; its timer is known by it")
    check_timeout(step, where)
    check_budget(step.budget, where)
    check_pace(step, where)
    if not isinstance(step.pivot, bool):
        raise InvalidDefinition(f"{where}: pivot is True or False, not {step.pivot!r}")
    meanings = _meanings(step, where)
    dones = tuple(full_name(one) for one, meaning in meanings.items() if meaning is Meaning.DONE)
    refusals = tuple(full_name(one) for one, meaning in meanings.items() if meaning is Meaning.REFUSED)
    return StepDefinition(
        index=index,
        name=name,
        role=role,
        command=command_of(step.do, f"{where}.do"),
        do=with_reason(step.do, f"{where}.do", state_type),
        meanings=meanings,
        undo=None if step.undo is None else with_reason(step.undo, f"{where}.undo", state_type),
        undo_command=None if step.undo is None else command_of(step.undo, f"{where}.undo", optional=True),
        undone=frozenset(message_types(step.undone, where)),
        undo_working=message_types(step.undo_working, where),
        no_undo=_reason(step.no_undo, where),
        dones=dones,
        refusals=refusals,
        on_answer=_keepers(step, where, meanings, state_type),
        timeout_s=in_seconds(step.timeout),
        every_s=in_seconds(step.every or 0.0),
        at_most_s=in_seconds(step.at_most or 0.0),
        budget=step.budget,
        timer=name,
    )


def _meanings(step: Step, where: str) -> dict[type[Message], Meaning]:
    meanings: dict[type[Message], Meaning] = {}
    declared = (
        (step.done, Meaning.DONE),
        (step.refused, Meaning.REFUSED),
        (step.ignores, Meaning.IGNORED),
        (step.working, Meaning.WORKING),
    )
    for some, meaning in declared:
        _check_answers(message_types(some, where), where)
        for one in message_types(some, where):
            if one in meanings:
                raise InvalidDefinition(f"{where}: {full_name(one)} is declared to mean two things")
            meanings[one] = meaning
    return meanings


def _reason(no_undo: object, where: str) -> str:
    """Why there is no undo, in words that can be printed."""
    if not isinstance(no_undo, str):
        raise InvalidDefinition(f"{where}: no_undo says in words why there is no undo; it is {no_undo!r}")
    if any("\ud800" <= char <= "\udfff" for char in no_undo):
        raise InvalidDefinition(f"{where}: no_undo holds half a character; take text without it, not {no_undo!r}")
    return no_undo.strip()


def _keepers(
    step: Step, where: str, meanings: Mapping[type[Message], Meaning], state_type: type[Message]
) -> dict[type[Message], Callable[[Any, Any], object]]:
    keepers: dict[type[Message], Callable[[Any, Any], object]] = {}
    for function in step.on_answer if isinstance(step.on_answer, tuple) else (step.on_answer,):
        kept = parameter_of(function, f"{where}.on_answer")
        if kept not in meanings or meanings[kept] is Meaning.IGNORED:
            raise InvalidDefinition(
                f"{where}.on_answer: annotate the last parameter of {called(function)} with an answer that is declared "
                f"as done or refused; it has {kept!r}"
            )
        if not takes(function, 2):
            raise InvalidDefinition(f"{where}.on_answer: {called(function)} takes the state and the answer; no more")
        check_state(function, f"{where}.on_answer", state_type)
        if returned_by(function, where) not in (None, types.NoneType, Any):
            raise InvalidDefinition(
                f"{where}.on_answer: {called(function)} says that it returns something, which would be lost; it "
                "changes the state in place, and returns None"
            )
        if kept in keepers:
            raise InvalidDefinition(f"{where}.on_answer: two functions keep {full_name(kept)}")
        keepers[kept] = function
    return keepers


def _linked(steps: Sequence[StepDefinition], order: Sequence[Step], flow: Flow) -> list[StepDefinition]:
    """The same steps, with what comes before and after each."""
    place = {step: index for index, step in enumerate(order)}
    before: list[list[int]] = [[] for _ in order]
    after: list[list[int]] = [[] for _ in order]
    for earlier, later in flow.edges:
        before[place[later]].append(place[earlier])
        after[place[earlier]].append(place[later])
    all_after: list[set[int]] = [set() for _ in order]
    for index in reversed(range(len(order))):
        for later_index in after[index]:
            all_after[index] |= {later_index} | all_after[later_index]
    return [
        replace(step, before=tuple(before[i]), after=tuple(after[i]), all_after=tuple(sorted(all_after[i])))
        for i, step in enumerate(steps)
    ]


def _key_field(declared: Declaration) -> str:
    for start in declared.starts:
        path = start.key or contract_of(start.event_type).key_field
        field = path.rpartition(".")[2]
        if field in declared.state_type.DESCRIPTOR.fields_by_name:
            return field
    return ""


def _fingerprint(declared: Declaration, steps: Sequence[StepDefinition]) -> bytes:
    """16 bytes that change when a running instance could no longer be carried on as it was begun.

    Names, types and order count; timeouts, budgets and the code of functions do not. Neither do answers that mean "not
    finished yet": how far a record has come with them lies in the record, and is acted on there. So an instance begun
    without them is asked again from now on, and one that a build without them carries asks once more when its timer
    fires, takes such an answer for none, as it would silence, and names no undo that was answered so to the guard.
    """
    shape: list[object] = [_RECORDED_AS, declared.name, full_name(declared.state_type)]
    for step in steps:
        settling = [(one, meaning) for one, meaning in step.meanings.items() if meaning is not Meaning.WORKING]
        answers = sorted((full_name(one), meaning.name) for one, meaning in settling)
        undo = "" if step.undo_command is None else step.undo_command.name
        undone = sorted(full_name(one) for one in step.undone)
        shape.append([step.name, step.role.name, step.command.name, answers, undo, undone, list(step.before)])
    return hashlib.blake2b(json.dumps(shape).encode(), digest_size=16).digest()


def _template(declared: Declaration, fingerprint: bytes, steps: Sequence[StepDefinition]) -> saga_pb2.SagaRecord:
    return saga_pb2.SagaRecord(
        definition=declared.name,
        fingerprint=fingerprint,
        status=saga_pb2.SagaRecord.RUNNING,
        state_type=full_name(declared.state_type),
        tasks=[saga_pb2.TaskRecord(path=step.name) for step in steps],
    )
