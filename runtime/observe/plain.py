"""Messages as plain objects, and as one line: whatever they hold, something is shown.

Protobuf refuses to write some values as JSON: an instant past the year 9999, a duration over its range, an Any whose
type this process does not know, a number that is none in a Struct. Those alone are shown as the text of their fields.
"""

from __future__ import annotations

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import Error as JsonError
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError, Message

__all__ = ["as_line", "as_plain"]

_UNSHOWN = (
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    DecodeError,
    JsonError,
)  # protobuf's parts raise all


def as_plain(message: Message) -> object:
    """For JSON: fields by their names; what JSON has no word for as text."""
    try:
        return MessageToDict(message, preserving_proto_field_name=True)
    except _UNSHOWN:
        if message.DESCRIPTOR.file.package == "google.protobuf":
            return _text(message)
    return {field.name: _value(field, getattr(message, field.name)) for field, _ in message.ListFields()}


def as_line(message: Message) -> str:
    """In protobuf's text format, on one line."""
    try:
        return text_format.MessageToString(message, as_one_line=True, as_utf8=True)
    except _UNSHOWN:  # an Any of a known type, whose bytes are not of that type
        return str(as_plain(message))


def _value(field: FieldDescriptor, value: object) -> object:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        inner = field.message_type.fields_by_name["value"]
        return {str(key): _value(inner, value[key]) for key in value}  # type: ignore[index,attr-defined]  # a map
    if isinstance(value, Message):
        return as_plain(value)
    if isinstance(value, (str, bytes, int, float)):
        return _scalar(field, value)
    return [_value(field, one) for one in value]  # type: ignore[attr-defined]  # repeated


def _scalar(field: FieldDescriptor, value: str | bytes | float) -> object:
    """As MessageToDict writes it, by means of text where it would be no number of JSON's."""
    if field.enum_type is not None:
        names = field.enum_type.values_by_number
        return names[int(value)].name if int(value) in names else value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and value - value != 0:
        return str(value)
    return value


def _text(message: Message) -> str:
    """The fields of one of protobuf's own types, not interpreted."""
    try:
        return ", ".join(f"{field.name}: {value!r}" for field, value in message.ListFields()) or "empty"
    except _UNSHOWN as error:
        return f"{message.ByteSize()} bytes: {error}"
