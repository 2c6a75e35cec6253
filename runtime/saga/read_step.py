"""From an author's step to its node of a definition: types and answers by annotations, spans and budgets checked."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import RUNTIMES_OWN, is_message_type, names_of
from runtime.durations import in_seconds, shown
from runtime.errors import InvalidDefinition
from runtime.saga.functions import (
    called,
    check_state,
    command_of,
    parameter_of,
    returned_by,
    takes,
    with_item,
    with_reason,
)
from runtime.saga.node import Meaning, PastPivot, Role, StepDefinition, full_name
from runtime.saga.patience import check_budget, check_pace, check_probe, check_timeout
from runtime.saga.step import MessageTypes, Step

__all__ = ["message_types", "read_keepers", "read_step"]


def message_types(declared: MessageTypes, where: str) -> tuple[type[Message], ...]:
    """One type or several as a tuple. Raises InvalidDefinition for what is no message type."""
    several = declared if isinstance(declared, tuple) else (declared,)
    for one in several:
        if isinstance(one, Message):
            raise InvalidDefinition(f"{where}: an object of {full_name(type(one))} is no message type; name its class")
        if not is_message_type(one):
            hint = "; several stand in a tuple" if isinstance(one, list | set | frozenset | types.UnionType) else ""
            raise InvalidDefinition(f"{where}: {shown(one)} is no message type{hint}")
    return several


def _check_answers(answers: Sequence[type[Message]], where: str) -> None:
    for one in answers:
        if one.DESCRIPTOR.file.package == RUNTIMES_OWN:
            raise InvalidDefinition(
                f"{where}: {full_name(one)} is the runtime's own; a step is answered by your services"
            )


def read_step(
    where: str,
    state_type: type[Message],
    name: str,
    index: int,
    step: Step,
    role: Role,
    item_type: type[Any] | None = None,
) -> StepDefinition:
    """`where` is the step's place, for errors. Of a list's step, the functions take an item. Raises InvalidDefinition.

    `index` of a step within another node is that node's.
    """

    def given(function: Callable[..., Any], what: str) -> Callable[..., Any]:
        if item_type is None:
            return with_reason(function, f"{where}.{what}", state_type)
        return with_item(function, f"{where}.{what}", state_type, item_type)

    check_timeout(step, where)
    check_budget(step.budget, where)
    check_pace(step, where)
    check_probe(step.probe, where)
    if not isinstance(step.pivot, bool):
        raise InvalidDefinition(f"{where}: pivot is True or False, not {step.pivot!r}")
    meanings = _meanings(step, where)
    dones = tuple(name for one, said in meanings.items() if said is Meaning.DONE for name in names_of(one))
    refusals = tuple(name for one, said in meanings.items() if said is Meaning.REFUSED for name in names_of(one))
    return StepDefinition(
        index=index,
        name=name,
        role=role,
        command=command_of(step.do, f"{where}.do"),
        do=given(step.do, "do"),
        meanings=meanings,
        undo=None if step.undo is None else given(step.undo, "undo"),
        undo_command=None if step.undo is None else command_of(step.undo, f"{where}.undo", optional=True),
        undone=frozenset(message_types(step.undone, where)),
        undo_working=message_types(step.undo_working, where),
        no_undo=_reason(step.no_undo, where),
        dones=dones,
        refusals=refusals,
        on_answer=read_keepers(step.on_answer, f"{where}.on_answer", _kept(meanings), item_type or state_type),
        timeout_s=in_seconds(step.timeout),
        every_s=in_seconds(step.every or 0.0),
        at_most_s=in_seconds(step.at_most or 0.0),
        budget=step.budget,
        past_pivot=_past_pivot(step, where, role),
        probe=step.probe,
        timer=name,
    )


def _past_pivot(step: Step, where: str, role: Role) -> PastPivot:
    words = [one.value for one in PastPivot]
    if step.past_pivot not in words:
        raise InvalidDefinition(f"{where}: past_pivot is one of {', '.join(words)}, not {step.past_pivot!r}")
    declared = PastPivot(step.past_pivot)
    if declared is not PastPivot.STUCK and role is not Role.RETRIABLE:
        raise InvalidDefinition(
            f"{where}: past_pivot={step.past_pivot!r} is for a step that comes after the pivot, and for the last of "
            "alternatives there; before it the saga turns back, and a list says itself how many may fail; take it out"
        )
    return declared


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
        raise InvalidDefinition(f"{where}: no_undo says in words why there is no undo; it is {shown(no_undo)}")
    if any("\ud800" <= char <= "\udfff" for char in no_undo):
        raise InvalidDefinition(f"{where}: no_undo holds half a character; take text without it, not {no_undo!r}")
    return no_undo.strip()


def _kept(meanings: Mapping[type[Message], Meaning]) -> tuple[type[Message], ...]:
    return tuple(one for one, meaning in meanings.items() if meaning is not Meaning.IGNORED)


def read_keepers(
    declared: object, where: str, kept_types: Sequence[type[Message]], changed: type[Any]
) -> dict[type[Message], Callable[[Any, Any], object]]:
    """The functions that copy facts of an answer into the state, or the item, by its type. Raises InvalidDefinition."""
    keepers: dict[type[Message], Callable[[Any, Any], object]] = {}
    functions: tuple[Any, ...] = declared if isinstance(declared, tuple) else (declared,)
    for function in functions:
        kept = parameter_of(function, where)
        if kept not in kept_types:
            raise InvalidDefinition(
                f"{where}: annotate the last parameter of {called(function)} with an answer that is declared "
                f"as done or refused; it has {shown(kept)}"
            )
        if not takes(function, 2):
            raise InvalidDefinition(f"{where}: {called(function)} takes the state and the answer; no more")
        if changed is str:
            raise InvalidDefinition(
                f"{where}: its items are texts, which keep nothing; let the items be messages with a field for it"
            )
        check_state(function, where, changed)
        if returned_by(function, where) not in (None, types.NoneType, Any):
            raise InvalidDefinition(
                f"{where}: {called(function)} says that it returns something, which would be lost; it "
                "changes the state in place, and returns None"
            )
        if kept in keepers:
            raise InvalidDefinition(f"{where}: two functions keep {full_name(kept)}")
        keepers[kept] = function
    return keepers
