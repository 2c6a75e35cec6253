"""Message types by name, and what their contracts say of routing.

One registry per node, made from the protobuf modules the deployment names: no import by a name found in data, and
no global registry, so that two nodes of one process can differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from protos import contract_pb2, durable_pb2
from runtime.errors import InvalidDefinition, InvalidMessage, UnknownMessageType

__all__ = ["Contract", "Contracts", "contract_of", "field_text"]


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
        """The key that a message names. Raises InvalidMessage when it is empty."""
        key: str = getattr(message, self.key_field) if self.key_field else ""
        if not key:
            raise InvalidMessage(f"{self.name} needs a key in its field {self.key_field!r}; it is empty")
        return key


def contract_of(message_type: type[Message]) -> Contract:
    """Read the options of a message type. Raises InvalidDefinition when they do not fit its fields."""
    descriptor = message_type.DESCRIPTOR
    options = descriptor.GetOptions()
    kind = key_field = ""
    if options.HasExtension(contract_pb2.command):
        command = options.Extensions[contract_pb2.command]
        kind, key_field = command.kind, command.key
        if not kind or "/" in kind:
            raise InvalidDefinition(f"command {descriptor.full_name} needs a kind without a slash; it has {kind!r}")
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


class Contracts:
    """The message types that one deployment knows."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self._by_name: dict[str, Contract] = {}
        self._by_type: dict[type[Message], Contract] = {}
        for module in (durable_pb2, *modules):
            for descriptor in module.DESCRIPTOR.message_types_by_name.values():
                self._add(contract_of(GetMessageClass(descriptor)))

    def _add(self, contract: Contract) -> None:
        self._by_name[contract.name] = contract
        self._by_type[contract.message_type] = contract

    def __iter__(self) -> Iterator[Contract]:
        return iter(self._by_name.values())

    def of(self, message: Message) -> Contract:
        """The contract of a message. Raises UnknownMessageType."""
        contract = self._by_type.get(type(message))
        return contract or self.named(message.DESCRIPTOR.full_name)

    def named(self, name: str) -> Contract:
        """The contract of this full protobuf name. Raises UnknownMessageType."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownMessageType(
                f"no message type {name!r} is known here; name its module in the catalogue's contracts"
            ) from None

    def parse(self, name: str, body: bytes) -> Message:
        """Decode a message. Raises UnknownMessageType, or InvalidMessage when the bytes are none of that type."""
        message_type = self.named(name).message_type
        try:
            return message_type.FromString(body)
        except DecodeError as error:
            raise InvalidMessage(f"{len(body)} bytes are no {name}: {error}") from error


def field_text(message: Message, path: str) -> str:
    """The value of a dotted field as text, an enum as its number. Raises InvalidDefinition when there is none."""
    value: object = message
    for name in path.split("."):
        if not isinstance(value, Message) or name not in value.DESCRIPTOR.fields_by_name:
            raise InvalidDefinition(f"{message.DESCRIPTOR.full_name} has no field {path!r}")
        value = getattr(value, name)
    return str(value)
