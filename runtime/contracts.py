"""Message types by name, and what their contracts say of routing.

One registry per node, made from the protobuf modules the deployment names: no import by a name found in data, and
no global registry, so that two nodes of one process can differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from runtime.durations import shown
from runtime.envelope import check_key, wrong_kind
from runtime.errors import InvalidDefinition, InvalidMessage, UnknownMessageType
from runtime.kind_names import AS_CALLED, KindNames
from runtime.protos import choreography_pb2, contract_pb2, durable_pb2, lock_pb2, saga_pb2

__all__ = [
    "RUNTIMES_OWN",
    "Contract",
    "Contracts",
    "condition_text",
    "contract_of",
    "field_of",
    "field_text",
    "first_name_of",
    "is_message_type",
    "meets",
    "names_of",
]

RUNTIMES_OWN = "amends"
"""The package of messages that only the runtime sends."""

_SHOWN_MAX = 80  # characters of a value that was given wrongly


@dataclass(frozen=True, slots=True)
class Contract:
    """A message type. A command has a kind; a command and an event have a key field; a plain message has neither."""

    name: str
    message_type: type[Message]
    kind: str
    key_field: str

    @property
    def is_command(self) -> bool:
        return bool(self.kind)

    def key(self, message: Message) -> str:
        """The key that a message names. Raises InvalidMessage when no actor may be named so."""
        is_nested = "." in self.key_field  # as that of an event whose sender names the field
        key: str = field_text(message, self.key_field) if is_nested else getattr(message, self.key_field or "key", "")
        if not key:
            raise InvalidMessage(f"{self.name} needs a key in its field {self.key_field!r}; it is empty")
        return check_key(key, self.name, self.key_field)


def contract_of(message_type: type[Message]) -> Contract:
    """Read the options of a message type. Raises InvalidDefinition when they do not fit its fields."""
    if not is_message_type(message_type):
        raise InvalidDefinition(f"{shown(message_type)} is no message type")
    descriptor = message_type.DESCRIPTOR
    options = descriptor.GetOptions()
    kind = key_field = ""
    if options.HasExtension(contract_pb2.command):
        command = options.Extensions[contract_pb2.command]
        kind, key_field = command.kind, command.key
        if wrong := wrong_kind(kind):
            raise InvalidDefinition(f"command {descriptor.full_name} needs {wrong}")
    elif options.HasExtension(contract_pb2.event):
        key_field = options.Extensions[contract_pb2.event].key
    else:
        return Contract(descriptor.full_name, message_type, "", "")
    field = descriptor.fields_by_name.get(key_field)
    if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
        raise InvalidDefinition(
            f"{descriptor.full_name} names {key_field!r} as its key, which is no string field of it"
        )
    return Contract(descriptor.full_name, message_type, kind, key_field)


def names_of(message_type: type[Message]) -> tuple[str, ...]:
    """The full name of a message type, and those that it had before, the first one first."""
    descriptor = message_type.DESCRIPTOR
    return descriptor.full_name, *descriptor.GetOptions().Extensions[contract_pb2.formerly]


def first_name_of(message_type: type[Message]) -> str:
    """The name that a message type had first, by which versions know it: a new name makes no new version."""
    name, *former = names_of(message_type)
    return former[0] if former else name


def is_message_type(candidate: object) -> bool:
    """Whether this is the class of a protobuf message, and not the base of them all, which has no fields."""
    is_message = isinstance(candidate, type) and issubclass(candidate, Message)
    return is_message and getattr(candidate, "DESCRIPTOR", None) is not None


class Contracts:
    """The message types that one deployment knows, each command with its kind as the store knows it."""

    def __init__(self, modules: Iterable[ModuleType], names: KindNames = AS_CALLED) -> None:
        self.names = names
        self._by_name: dict[str, Contract] = {}
        self._by_type: dict[type[Message], Contract] = {}
        for module in (choreography_pb2, durable_pb2, lock_pb2, saga_pb2, *modules):
            for descriptor in module.DESCRIPTOR.message_types_by_name.values():
                self._add(contract_of(GetMessageClass(descriptor)))
        self._former: dict[str, Contract] = {}
        for contract in self._by_name.values():
            for name in names_of(contract.message_type)[1:]:
                if other := self._by_name.get(name) or self._former.get(name):
                    raise InvalidDefinition(f"{contract.name} says that it was formerly {name}, which {other.name} is")
                self._former[name] = contract

    def _add(self, contract: Contract) -> None:
        contract = replace(contract, kind=self.names.stored(contract.kind))
        self._by_name[contract.name] = contract
        self._by_type[contract.message_type] = contract

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._by_name.values())

    def of(self, message: Message) -> Contract:
        """The contract of a message. Raises UnknownMessageType."""
        contract = self._by_type.get(type(message))
        return contract or self.named(message.DESCRIPTOR.full_name)

    def named(self, name: str) -> Contract:
        """The contract of this full protobuf name, or former name. Raises UnknownMessageType."""
        try:
            return self._by_name[name]
        except KeyError:
            if name in self._former:
                return self._former[name]
            raise UnknownMessageType(
                f"no message type {name!r} is known here; name its module in the catalogue's contracts, "
                "or to runtime.admin with --contracts"
            ) from None

    def parse(self, name: str, body: bytes) -> Message:
        """Decode a message. Raises UnknownMessageType, or InvalidMessage when the bytes are none of that type."""
        message_type = self.named(name).message_type
        try:
            return message_type.FromString(body)
        except DecodeError as error:
            raise InvalidMessage(f"{len(body)} bytes are no {name}") from error


def field_text(message: Message, path: str) -> str:
    """The value of a dotted field as text, an enum as its number. Raises InvalidDefinition when there is none."""
    value: object = message
    for name in path.split("."):
        if not isinstance(value, Message) or name not in value.DESCRIPTOR.fields_by_name:
            raise InvalidDefinition(f"{message.DESCRIPTOR.full_name} has no field {path!r}")
        value = getattr(value, name)
    return str(value)


def field_of(message_type: type[Message], path: str) -> FieldDescriptor | None:
    """The single field that a dotted path leads to, through single messages only; None when there is none."""
    *parents, last = path.split(".") if isinstance(path, str) else ("",)
    descriptor: Any = message_type.DESCRIPTOR
    for name in parents:
        parent = descriptor.fields_by_name.get(name)
        if parent is None or parent.is_repeated or parent.message_type is None:
            return None
        descriptor = parent.message_type
    field: FieldDescriptor | None = descriptor.fields_by_name.get(last)
    return None if field is None or field.is_repeated else field


def condition_text(message_type: type[Message], path: str, value: object) -> str:
    """The value as text that `meets` compares with. Raises InvalidDefinition when the field can never have it."""
    field = field_of(message_type, path)
    name = message_type.DESCRIPTOR.full_name
    if field is None or field.message_type is not None:
        raise InvalidDefinition(f"{name} has no single field {path!r} to ask for")
    expected = _TYPES.get(field.cpp_type, int)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if field.type == FieldDescriptor.TYPE_BYTES:
        expected = bytes
    if not (is_number if expected is float else type(value) is bool if expected is bool else _is(expected, value)):
        hint = _enum_hint(field, value)
        raise InvalidDefinition(f"{name}.{path} is {_NAMES[expected]}; it is never {_shown(value)}{hint}")
    if field.enum_type is not None and value not in field.enum_type.values_by_number:
        raise InvalidDefinition(f"{_shown(value)} is no value of {field.enum_type.full_name}")
    message = message_type()
    *parents, last = path.split(".")
    owner: Any = message
    for one in parents:
        owner = getattr(owner, one)
    try:
        setattr(owner, last, value)
    except (ValueError, OverflowError) as error:  # too large for the field, or no text that UTF-8 can carry
        raise InvalidDefinition(f"{name}.{path} is never {_shown(value)}: {str(error)[:200]}") from error
    kept: object = getattr(owner, last)
    if isinstance(value, int | float) and not _keeps(field, value, kept):
        raise InvalidDefinition(f"{name}.{path} is never {_shown(value)}: it cannot hold that")
    return _text(kept)


def meets(message: Message, path: str, text: str) -> bool:
    """Whether a field has the value that `condition_text` gave this text for.

    A field that knows whether it was set (`optional`, in a oneof, in a message inside) has none until it is. A plain
    one that was not set has its default: on the wire the two are the same.
    """
    *parents, last = path.split(".")
    owner: Any = message
    for name in parents:
        if name not in owner.DESCRIPTOR.fields_by_name:
            raise InvalidDefinition(f"{message.DESCRIPTOR.full_name} has no field {path!r}")
        if not owner.HasField(name):
            return False
        owner = getattr(owner, name)
    field = owner.DESCRIPTOR.fields_by_name.get(last)
    if field is None:
        raise InvalidDefinition(f"{message.DESCRIPTOR.full_name} has no field {path!r}")
    if field.has_presence and not owner.HasField(last):
        return False
    return _text(getattr(owner, last)) == text


_TYPES: dict[int, type] = {
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
    FieldDescriptor.CPPTYPE_FLOAT: float,
    FieldDescriptor.CPPTYPE_STRING: str,
}
"""What Python reads fields as; whatever is not here is a whole number."""

_NAMES: dict[type, str] = {
    bool: "True or False",
    float: "a number",
    str: "a text",
    bytes: "bytes",
    int: "a whole number",
}


def _enum_hint(field: FieldDescriptor, value: object) -> str:
    """The number of an enum's value that was given by its name."""
    enum = field.enum_type
    if enum is None or not isinstance(value, str) or value not in enum.values_by_name:
        return ""
    return f"; {value} of {enum.full_name} is the number {enum.values_by_name[value].number}"


def _shown(value: object) -> str:
    """The value as it was written, and no more of it than a line."""
    try:
        text = repr(value) if isinstance(value, str) else shown(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."


def _is(expected: type, value: object) -> bool:
    return isinstance(value, expected) and not isinstance(value, bool)


def _keeps(field: FieldDescriptor, value: float, kept: object) -> bool:
    """Whether the field kept the number. A `float` field keeps fewer digits than Python, which counts as the same."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT and isinstance(value, float):
        assert isinstance(kept, float)
        return math.isinf(kept) == math.isinf(value) and not math.isnan(kept) and (kept != 0) == (value != 0)
    return kept == value


def _text(value: object) -> str:
    """A field's value as text; zero below zero is zero."""
    return str(value + 0.0 if isinstance(value, float) else value)
