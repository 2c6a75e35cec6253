"""A definition whose functions are watched: what they raise, which wrong commands they make, what they change.

The interpreter survives an author's mistake: the saga turns back, or gets stuck. An exploration reports the mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, assert_never

from google.protobuf.message import Message

from runtime.contracts import Contract
from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.failures import text_of
from runtime.saga.definition import Definition
from runtime.saga.inner import path_of
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

__all__ = ["PERSON", "STRANGER", "Watch", "watched"]


PERSON = "somebody who may decide"
STRANGER = "somebody who may not"
"""Who decides about an approval. The author's `by` is called with both, and what it says of them does not count."""


class Watch:
    """What the author's functions did since the last `clear`."""

    __slots__ = ("given", "kept", "mistakes", "waived")

    def __init__(self) -> None:
        self.mistakes: list[str] = []
        self.waived: list[str] = []  # The undo of the tasks with these paths said that this instance needs none.
        self.given: list[tuple[str, bool, bytes]] = []  # The state that the do, or the undo, of a path was given.
        self.kept: bytes | None = None  # The state after a step's on_answer.

    def clear(self) -> None:
        self.mistakes.clear()
        self.waived.clear()
        self.given.clear()
        self.kept = None


def watched(definition: Definition, watch: Watch, asks_max: int) -> Definition:
    """The same definition with watched functions, and with budgets of at most `asks_max` asks.

    Raises InvalidDefinition for what an exploration does not know.
    """
    if definition.keys:
        raise InvalidDefinition(
            f"{definition.title}: an exploration does not know keys that a saga learns yet; explore it with waits "
            "by functions of their own"
        )
    watching = _Watching(watch, definition.key_field, asks_max)
    nodes = tuple(watching.node(node) for node in definition.nodes)
    result = None if definition.result is None else watching.reader("result", definition.result)
    return replace(definition, nodes=nodes, result=result, reminders=())  # they change nothing of the saga


@dataclass(frozen=True, slots=True)
class _Watching:
    watch: Watch
    key_field: str
    asks_max: int

    def node(self, node: Node) -> Node:
        match node:
            case StepDefinition():
                return self.step(node)
            case WhenDefinition():
                return replace(node, condition=self.reader(f"condition of {node.name}", node.condition))
            case WaitDefinition():
                until = node.until
                return node if until is None else replace(node, until=self.reader(f"until of {node.name}", until))
            case PublishDefinition():
                return replace(node, event=self.reader(f"event of {node.name}", node.event))
            case EndDefinition():
                return node
            case FirstOfDefinition():
                return replace(node, alternatives=tuple(self.step(one) for one in node.alternatives))
            case EachDefinition():
                return self._each(node)
            case ApprovalDefinition():
                return self._approval(node)
            case _:
                assert_never(node)

    def reader(self, where: str, function: Callable[..., Any]) -> Any:
        """A function that only looks at the state."""

        def read(state: Message, given: object) -> object:
            before = state.SerializeToString(deterministic=True)
            try:
                return function(state, given)
            except BaseException as error:  # as the interpreter takes them
                self.watch.mistakes.append(f"{where} raised {text_of(error)}")
                raise
            finally:
                if state.SerializeToString(deterministic=True) != before:
                    self.watch.mistakes.append(f"{where} changed the state, which only on_answer may")

        return read

    def step(self, step: StepDefinition, each: EachDefinition | None = None) -> StepDefinition:
        undo = None
        if step.undo is not None and step.undo_command is not None:
            undo = self._maker(step, "undo", step.undo, step.undo_command, each)
        where = f"on_answer of step {step.name}"
        return replace(
            step,
            do=self._maker(step, "do", step.do, step.command, each),
            undo=undo,
            on_answer={
                answer: self._step_keeper(where, function) if each is None else self._item_keeper(where, function, each)
                for answer, function in step.on_answer.items()
            },
            budget=replace(step.budget, asks_max=min(step.budget.asks_max, self.asks_max)),
        )

    def _each(self, each: EachDefinition) -> EachDefinition:
        on_done = each.on_done
        return replace(
            each,
            items=self.reader(f"items of {each.name}", each.items),
            step=self.step(each.step, each),
            on_done=None if on_done is None else self._keeper(f"on_done of {each.name}", on_done),
        )

    def _approval(self, node: ApprovalDefinition) -> ApprovalDefinition:
        by, on_approved = node.by, node.on_approved
        asked = None if by is None else self.reader(f"by of {node.name}", by)

        def may(state: Message, who: str) -> bool:
            if asked is not None:
                asked(state, who)
            return who == PERSON

        return replace(
            node,
            asks=self.reader(f"asks of {node.name}", node.asks),
            by=may,
            on_approved=None if on_approved is None else self._keeper(f"on_approved of {node.name}", on_approved),
        )

    def _maker(
        self,
        step: StepDefinition,
        what: str,
        function: Callable[..., Any],
        contract: Contract,
        each: EachDefinition | None,
    ) -> Any:
        """A function of (state, reason) or, in a list, of (state, reason, item)."""
        where = f"{what} of step {step.name}"

        def make(state: Message, reason: str, *item: Any) -> Message | None:
            before = _bytes(state, *item)
            path = step.name if each is None else path_of(each.name, each.key(*item))
            self.watch.given.append((path, what == "undo", _bytes(state)[0]))
            try:
                command: Message | None = function(state, reason, *item)
            except BaseException as error:  # The interpreter takes them so too.
                self.watch.mistakes.append(f"{where} raised {text_of(error)}")
                raise
            if command is None and what == "undo":
                self.watch.waived.append(path)
            else:
                self.watch.mistakes.extend(_wrong_command(where, contract, command))
            if _bytes(state, *item) != before:
                changed = "the state" if each is None else "the state, or the item"
                self.watch.mistakes.append(
                    f"{where} changed {changed}, which only an on_answer may; copy what it needs"
                )
            return command

        return make

    def _keeper(self, where: str, function: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
        """A function that changes the state."""

        def keep(state: Message, given: object) -> object:
            key = getattr(state, self.key_field) if self.key_field else ""
            returned = self._called(where, function, state, given)
            if self.key_field and getattr(state, self.key_field) != key:
                self.watch.mistakes.append(f"{where} changed {self.key_field}, which is the key of the instance")
            return returned

        return keep

    def _step_keeper(self, where: str, function: Callable[[Any, Any], object]) -> Callable[[Any, Any], object]:
        keep = self._keeper(where, function)

        def keep_of_step(state: Message, given: object) -> object:
            returned = keep(state, given)
            (self.watch.kept,) = _bytes(state)
            return returned

        return keep_of_step

    def _item_keeper(
        self, where: str, function: Callable[[Any, Any], object], each: EachDefinition
    ) -> Callable[[Any, Any], object]:
        """A function that changes an item."""

        def keep(item: Message, given: object) -> object:
            key = each.key(item)
            returned = self._called(where, function, item, given)
            if each.key(item) != key:
                self.watch.mistakes.append(f"{where} changed the key of an item, by which the item is known")
            return returned

        return keep

    def _called(self, where: str, function: Callable[[Any, Any], object], changed: Message, given: object) -> object:
        try:
            returned = function(changed, given)
        except BaseException as error:
            self.watch.mistakes.append(f"{where} raised {text_of(error)}")
            raise
        if isinstance(returned, Message):
            self.watch.mistakes.append(f"{where} returned a {type(returned).__name__}, which is lost")
        return returned


def _bytes(*given: Any) -> tuple[Any, ...]:
    """Of the state and perhaps an item, which may be a text."""
    return tuple([one.SerializeToString(deterministic=True) if isinstance(one, Message) else one for one in given])


def _wrong_command(where: str, contract: Contract, command: object) -> list[str]:
    if type(command) is not contract.message_type:
        return [f"{where} made a {type(command).__name__}, not a {contract.name}"]
    try:
        contract.key(command)
    except InvalidMessage as error:
        return [f"{where}: {error}"]
    return []
