"""Makes messages with plausible content from their descriptors: every field is set, and keys agree.

A text is the name of its field. Fields with the name of the saga's key field hold the key. Numbers are 1, an enum has
its first value, and nested messages are filled too. A list has one element; it has two if the saga does a step for each
item of a list, and what the second one says differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from runtime.contracts import condition_text, contract_of, field_text, meets
from runtime.errors import InvalidMessage
from runtime.protos.saga_pb2 import SagaCompleted
from runtime.saga.definition import Definition
from runtime.saga.node import ChildDefinition, EachDefinition, StepDefinition, full_name
from runtime.saga.on import On

__all__ = ["KEY", "Samples"]

KEY = "KEY-1"
"""The key of the explored instance, unless a sample of the starting event has its own."""

_ELEMENTS = ("", "-2")
"""What the texts of each element of a list end with."""

_DEPTH_MAX = 4  # Nesting ends here, since a message may contain itself.
_FRACTIONAL = frozenset((FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE))


class Samples:
    """What participants may say to one saga: the user's own messages where there are some, else made ones."""

    def __init__(self, definition: Definition, given: Sequence[Message] = ()) -> None:
        self._definition = definition
        self._given: dict[type[Message], tuple[Message, ...]] = {}
        for one in given:
            self._given[type(one)] = (*self._given.get(type(one), ()), one)
        self._check_given()
        has_lists = any(isinstance(node, EachDefinition) for node in definition.nodes)
        self._elements = _ELEMENTS if has_lists else _ELEMENTS[:1]
        self.key = KEY
        self.starts = tuple(event for start in definition.starts for event in self._events(start))
        keys = sorted({self._key_of(event) for event in self.starts})
        if len(keys) != 1:
            raise InvalidMessage(
                f"the starting events have the keys {', '.join(keys)}; one instance is explored at a time, "
                "so give them one key"
            )
        (self.key,) = keys

    def of_node(self, node: StepDefinition, message_type: type[Message]) -> tuple[Message, ...]:
        """The same as an answer to this step: the end of a child brings the result that the child makes."""
        made = node.result_type if isinstance(node, ChildDefinition) and message_type is SagaCompleted else None
        if made is None or message_type in self._given:
            return self.of(message_type)
        ends = (SagaCompleted(result_type=full_name(made), result=one.SerializeToString()) for one in self.of(made))
        return tuple(ends)

    def of(self, message_type: type[Message]) -> tuple[Message, ...]:
        """The messages of one type that may come as an answer."""
        return self._given.get(message_type) or (self._made(message_type),)

    def _check_given(self) -> None:
        known = {start.event_type for start in self._definition.starts}
        for step in self._definition.steps:
            known |= {*step.meanings, *step.undone, *step.undo_unsettled}
        known |= {child.result_type for child in self._definition.children if child.result_type is not None}
        for one in self._given:
            if one not in known:
                raise InvalidMessage(
                    f"a sample is a {full_name(one)}, which neither starts {self._definition.title} nor answers it; "
                    f"it knows {', '.join(sorted(map(full_name, known)))}"
                )

    def _events(self, start: On) -> Iterable[Message]:
        for event in self._given_or_made(start):
            if not self._key_of(event):
                raise InvalidMessage(f"the sample of {full_name(start.event_type)} has no key in {_key_path(start)!r}")
            for path, value in start.where.items():
                if not meets(event, path, condition_text(start.event_type, path, value)):
                    raise InvalidMessage(
                        f"the sample of {full_name(start.event_type)} starts nothing: its {path} has to be {value!r}"
                    )
            yield event

    def _given_or_made(self, start: On) -> tuple[Message, ...]:
        if start.event_type in self._given:
            return self._given[start.event_type]
        event = self._made(start.event_type)
        _set(event, _key_path(start), KEY)
        for path, value in start.where.items():
            _set(event, path, value)
        return (event,)

    def _key_of(self, event: Message) -> str:
        start = next(one for one in self._definition.starts if one.event_type is type(event))
        return field_text(event, _key_path(start))

    def _made(self, message_type: type[Message]) -> Message:
        message = message_type()
        names = {_key_path(start).rpartition(".")[2] for start in self._definition.starts}
        _Maker(self.key, names, self._elements).fill(message, _DEPTH_MAX)
        return message


def _key_path(start: On) -> str:
    return start.key or contract_of(start.event_type).key_field


@dataclass(frozen=True, slots=True)
class _Maker:
    key: str
    key_names: set[str]
    elements: tuple[str, ...]
    ending: str = ""  # of the texts

    def fill(self, message: Message, depth: int) -> None:
        chosen: set[str] = set()  # One alternative of each of these is set already.
        for field in message.DESCRIPTOR.fields:
            if field.containing_oneof is not None:
                if field.containing_oneof.name in chosen:
                    continue
                chosen.add(field.containing_oneof.name)
            if field.message_type is not None:
                self._fill_nested(message, field, depth)
            elif field.is_repeated:
                getattr(message, field.name).extend(one._value(field) for one in self._each())
            else:
                setattr(message, field.name, self._value(field))

    def _fill_nested(self, message: Message, field: Any, depth: int) -> None:
        if field.message_type.GetOptions().map_entry or depth == 0:
            return  # A map stays empty, and nesting ends somewhere.
        inner = getattr(message, field.name)
        if field.is_repeated:
            for one in self._each():
                one.fill(inner.add(), depth - 1)
            return
        inner.SetInParent()
        self.fill(inner, depth - 1)

    def _each(self) -> Iterable[_Maker]:
        return [replace(self, ending=self.ending + ending) for ending in self.elements]

    def _value(self, field: Any) -> Any:
        if field.enum_type is not None:
            return field.enum_type.values[0].number
        if field.type == FieldDescriptor.TYPE_BYTES:
            return field.name.encode()
        if field.type == FieldDescriptor.TYPE_STRING:
            return self.key if field.name in self.key_names else f"{field.name}{self.ending}"
        return 1.0 if field.cpp_type in _FRACTIONAL else field.type == FieldDescriptor.TYPE_BOOL or 1


def _set(message: Message, path: str, value: object) -> None:
    *parents, last = path.split(".")
    inner: Any = message
    for name in parents:
        inner = getattr(inner, name)
    setattr(inner, last, value)
