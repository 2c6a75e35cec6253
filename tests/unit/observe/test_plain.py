"""Messages that JSON has no word for are shown all the same."""

from __future__ import annotations

import json

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from runtime.observe.plain import as_line, as_plain


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        (Timestamp(seconds=10**15), "1000000000000000"),
        (Timestamp(nanos=-1), "-1"),
        (Duration(seconds=10**15), "1000000000000000"),
        (Any(type_url="type.googleapis.com/nobody.Knows", value=b"\x01"), "nobody.Knows"),
        (Any(type_url="type.googleapis.com/google.protobuf.Timestamp", value=b"\xff"), "Timestamp"),
        (Value(number_value=float("nan")), "nan"),
        (ListValue(values=[Value(number_value=float("inf"))]), "inf"),
        (Struct(fields={"rate": Value(number_value=float("inf"))}), "rate"),
    ],
)
def test_what_json_cannot_say_is_shown_as_text(message: Message, shown: str) -> None:
    assert shown in json.dumps(as_plain(message))
    assert as_line(message) is not None


def test_the_other_messages_look_as_protobuf_writes_them() -> None:
    file = FileDescriptorProto(name="a.proto", dependency=["b.proto"])
    assert as_plain(file) == {"name": "a.proto", "dependency": ["b.proto"]}
    assert as_plain(Timestamp(seconds=0)) == "1970-01-01T00:00:00Z"
