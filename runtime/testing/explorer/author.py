"""A definition whose functions are watched: what they raise, which wrong commands they make, what they change.

The interpreter survives an author's mistake: the saga turns back, or gets stuck. An exploration reports the mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, assert_never

from google.protobuf.message import Message

from runtime.contracts import Contract
from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.failures import text_of
from runtime.saga.definition import Definition
from runtime.saga.node import (
    ApprovalDefinition,
    EachDefinition,
    EndDefinition,
    FirstOfDefinition,
    Node,
    PublishDefinition,
    StepDefinition,
    WaitDefinition,
    WhenDefinition,
)

__all__ = ["Watch", "watched"]


class Watch:
    """What the author's functions did since the last `clear`."""

    __slots__ = ("mistakes", "waived")

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.waived: list[int] = []  # The undo of these steps said that this instance needs none.

    def clear(self) -> None:
        self.mistakes.clear()
        self.waived.clear()


def watched(definition: Definition, watch: Watch, asks_max: int) -> Definition:
    """The same definition with watched functions, and with budgets of at most `asks_max` asks."""
    nodes = tuple(_watched_node(node, watch, definition.key_field, asks_max) for node in definition.nodes)
    result = None if definition.result is None else _reader("result", definition.result, watch)
    return replace(definition, nodes=nodes, result=result)


def _watched_node(node: Node, watch: Watch, key_field: str, asks_max: int) -> Node:
    match node:
        case StepDefinition():
            return _watched_step(node, watch, key_field, asks_max)
        case WhenDefinition():
            return replace(node, condition=_reader(f"condition of {node.name}", node.condition, watch))
        case WaitDefinition():
            until = node.until
            return node if until is None else replace(node, until=_reader(f"until of {node.name}", until, watch))
        case PublishDefinition():
            return replace(node, event=_reader(f"event of {node.name}", node.event, watch))
        case EndDefinition():
            return node
        case EachDefinition() | FirstOfDefinition() | ApprovalDefinition():
            raise InvalidDefinition(
                f"{node.name}: an exploration does not know lists, alternatives and approvals yet; explore the saga "
                "without them"
            )
        case _:
            assert_never(node)


def _reader(where: str, function: Callable[..., Any], watch: Watch) -> Any:
    """A function that only looks at the state."""

    def read(state: Message, reason: str) -> object:
        before = state.SerializeToString(deterministic=True)
        try:
            return function(state, reason)
        except BaseException as error:  # as the interpreter takes them
            watch.mistakes.append(f"{where} raised {text_of(error)}")
            raise
        finally:
            if state.SerializeToString(deterministic=True) != before:
                watch.mistakes.append(f"{where} changed the state, which only on_answer may")

    return read


def _watched_step(step: StepDefinition, watch: Watch, key_field: str, asks_max: int) -> StepDefinition:
    undo = None
    if step.undo is not None and step.undo_command is not None:
        undo = _maker(step, "undo", step.undo, step.undo_command, watch)
    return replace(
        step,
        do=_maker(step, "do", step.do, step.command, watch),
        undo=undo,
        on_answer=_keepers(step, step.on_answer, watch, key_field),
        budget=replace(step.budget, asks_max=min(step.budget.asks_max, asks_max)),
    )


def _maker(step: StepDefinition, what: str, function: Callable[..., Any], contract: Contract, watch: Watch) -> Any:
    where = f"{what} of step {step.name}"

    def make(state: Message, reason: str) -> Message | None:
        before = state.SerializeToString(deterministic=True)
        try:
            command: Message | None = function(state, reason)
        except BaseException as error:  # The interpreter takes them so too.
            watch.mistakes.append(f"{where} raised {text_of(error)}")
            raise
        if command is None and what == "undo":
            watch.waived.append(step.index)
        else:
            watch.mistakes.extend(_wrong_command(where, contract, command))
        if state.SerializeToString(deterministic=True) != before:
            watch.mistakes.append(f"{where} changed the state, which only an on_answer may do; copy what it needs")
        return command

    return make


def _wrong_command(where: str, contract: Contract, command: object) -> list[str]:
    if type(command) is not contract.message_type:
        return [f"{where} made a {type(command).__name__}, not a {contract.name}"]
    try:
        contract.key(command)
    except InvalidMessage as error:
        return [f"{where}: {error}"]
    return []


def _keepers(
    step: StepDefinition, keepers: Mapping[type[Message], Callable[[Any, Any], object]], watch: Watch, key_field: str
) -> dict[type[Message], Callable[[Any, Any], object]]:
    def watching(function: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
        where = f"on_answer of step {step.name}"

        def keep(state: Message, answer: Message) -> object:
            key = getattr(state, key_field) if key_field else ""
            try:
                returned = function(state, answer)
            except BaseException as error:
                watch.mistakes.append(f"{where} raised {text_of(error)}")
                raise
            if isinstance(returned, Message):
                watch.mistakes.append(f"{where} returned a {type(returned).__name__}, which is lost")
            if key_field and getattr(state, key_field) != key:
                watch.mistakes.append(f"{where} changed {key_field}, which is the key of the instance")
            return returned

        return keep

    return {answer: watching(function) for answer, function in keepers.items()}
