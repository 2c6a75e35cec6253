"""What a process asks of the event that starts it is compared as the field's type, or refused when it cannot be."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from protos.sales_pb2 import OrderPlaced
from runtime.contracts import meets
from runtime.durable.kind import Subscribers
from runtime.errors import InvalidDefinition
from runtime.saga.checks import check_condition, check_key_path
from runtime.saga.choreography import Choreography
from runtime.saga.on import on
from runtime.store.records import Subscription
from tests.unit.saga.shop import begin
from tests.unit.saga.test_checks import bill, one
from tests.unit.saga.test_mistakes import react

_PLAIN = {
    "weight": FieldDescriptorProto.TYPE_DOUBLE,
    "ratio": FieldDescriptorProto.TYPE_FLOAT,
    "hot": FieldDescriptorProto.TYPE_BOOL,
    "n": FieldDescriptorProto.TYPE_INT32,
    "big": FieldDescriptorProto.TYPE_UINT64,
    "name": FieldDescriptorProto.TYPE_STRING,
    "raw": FieldDescriptorProto.TYPE_BYTES,
}


def _event() -> type[Message]:
    event = DescriptorProto(name="Event")
    for number, (name, type_) in enumerate(_PLAIN.items(), start=1):
        event.field.add(name=name, number=number, type=type_, label=FieldDescriptorProto.LABEL_OPTIONAL)
    event.field.add(name="maybe", number=20, type=FieldDescriptorProto.TYPE_INT32, oneof_index=1, proto3_optional=True)
    event.field.add(name="either", number=21, type=FieldDescriptorProto.TYPE_BOOL, oneof_index=0)
    event.field.add(name="other", number=22, type=FieldDescriptorProto.TYPE_BOOL, oneof_index=0)
    inner: dict[str, Any] = {"type": FieldDescriptorProto.TYPE_MESSAGE, "type_name": ".conditions.Event"}
    event.field.add(name="inner", number=23, **inner)
    event.field.add(name="many", number=24, label=FieldDescriptorProto.LABEL_REPEATED, **inner)
    event.oneof_decl.add(name="one")
    event.oneof_decl.add(name="_maybe")
    pool = DescriptorPool()
    pool.Add(FileDescriptorProto(name="conditions.proto", package="conditions", syntax="proto3", message_type=[event]))
    return GetMessageClass(pool.FindMessageTypeByName("conditions.Event"))


Event: Any = _event()


def is_met(event: Message, path: str, value: object) -> bool:
    """Whether the event reaches a process with this condition."""
    field, text = check_condition(Event, {path: value}, "Wrong")
    wanted = Subscription("conditions.Event", "k", "name", "p", True, field, text)
    assert meets(event, field, text) == bool(Subscribers([wanted]).of("conditions.Event", event, ""))
    return meets(event, field, text)


@pytest.mark.parametrize(
    ("path", "value", "event"),
    [
        ("weight", 10, Event(weight=10.0)),
        ("weight", 10.0, Event(weight=10.0)),
        ("weight", -0.0, Event()),
        ("weight", 0, Event(weight=-0.0)),
        ("weight", float("inf"), Event(weight=float("inf"))),
        ("ratio", 0.1, Event(ratio=0.1)),
        ("ratio", 1e-40, Event(ratio=1e-40)),
        ("ratio", float("-inf"), Event(ratio=float("-inf"))),
        ("hot", True, Event(hot=True)),
        ("n", -3, Event(n=-3)),
        ("big", 2**64 - 1, Event(big=2**64 - 1)),
        ("name", "é", Event(name="é")),
        ("raw", b"\xff", Event(raw=b"\xff")),
        ("inner.n", 4, Event(inner=Event(n=4))),
    ],
)
def test_a_condition_is_met_by_the_value_however_it_is_written(path: str, value: object, event: Message) -> None:
    assert is_met(event, path, value)
    assert not is_met(Event(weight=1.5, ratio=1.5, hot=False, n=9, big=9, name="b", raw=b"b"), path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("weight", "10"),
        ("weight", True),
        ("weight", float("nan")),
        ("weight", 10**400),
        ("weight", 2**53 + 1),
        ("ratio", 1e39),
        ("ratio", 2**24 + 1),
        ("ratio", 1e-50),
        ("ratio", 5e-324),
        ("ratio", float("nan")),
        ("n", 10**400),
        pytest.param("n", 10**5000, id="long n"),
        ("raw", bytearray(b"a")),
        pytest.param("hot", 10**5000, id="long hot"),
        ("hot", 1),
        ("hot", "True"),
        ("hot", None),
        ("n", True),
        ("n", 1.0),
        ("n", "1"),
        ("n", 2**31),
        ("big", -1),
        ("big", 2**64),
        ("name", 1),
        ("name", b"a"),
        ("name", "\ud800"),
        ("raw", "a"),
        ("inner", Event()),
        ("many", Event()),
        ("many.n", 1),
        ("n.n", 1),
        ("", 1),
    ],
)
def test_a_condition_that_no_event_can_meet_is_refused(path: str, value: object) -> None:
    with pytest.raises(InvalidDefinition, match=r"^Wrong: .*(never|no single field)") as refused:
        check_condition(Event, {path: value}, "Wrong")
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("value", "hint"), [("CHOREOGRAPHY", "; CHOREOGRAPHY of shop.Flow is the number 1"), ("NO", "")]
)
def test_an_enum_that_is_given_by_its_name_is_refused_with_its_number(value: str, hint: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"OrderPlaced.flow is a whole number; it is never '{value}'{hint}$"):
        check_condition(OrderPlaced, {"flow": value}, "Wrong")


@pytest.mark.parametrize(("path", "default"), [("weight", 0), ("hot", False), ("n", 0), ("name", ""), ("raw", b"")])
def test_a_plain_field_that_is_not_set_has_its_default(path: str, default: object) -> None:
    assert is_met(Event(), path, default)
    assert is_met(Event(**{path: default}), path, default)


@pytest.mark.parametrize(
    ("path", "default", "unset", "there"),
    [
        ("maybe", 0, Event(), Event(maybe=0)),
        ("either", False, Event(other=False), Event(either=False)),
        ("inner.n", 0, Event(), Event(inner=Event())),
        ("inner.maybe", 0, Event(inner=Event()), Event(inner=Event(maybe=0))),
    ],
)
def test_a_field_that_knows_whether_it_was_set_has_no_value_until_it_is(
    path: str, default: object, unset: Message, there: Message
) -> None:
    assert not is_met(unset, path, default)
    assert is_met(there, path, default)


def test_a_key_inside_a_message_of_which_there_are_many_is_refused() -> None:
    check_key_path(Event, "inner.name", "Wrong")
    with pytest.raises(InvalidDefinition, match=r"Wrong: conditions.Event has no text field 'many.name'"):
        check_key_path(Event, "many.name", "Wrong")


@pytest.mark.parametrize("value", ["", "x" * 257, "é" * 129, "a\nb"])
def test_a_condition_on_the_key_that_no_actor_can_be_named_by_is_refused(value: str) -> None:
    assert check_condition(Event, {"name": value}, "Wrong")
    with pytest.raises(InvalidDefinition, match=r"^Wrong: no actor is ever named so: the key 'name' (must|holds)"):
        check_condition(Event, {"name": value}, "Wrong", "name")
    assert check_condition(Event, {"name": "x" * 256}, "Wrong", "name")


@pytest.mark.parametrize(("key", "field"), [("", "order_id"), ("line.sku", "line.sku")])
def test_each_process_that_waits_for_such_a_key_is_refused(key: str, field: str) -> None:
    condition: dict[str, Any] = {field: "x" * 400}
    complaint = f"no actor is ever named so: the key '{field}' must be at most 256 bytes of UTF-8; it has 400"
    with pytest.raises(InvalidDefinition, match=rf"Wrong.started_by: {complaint}"):
        one(bill(), started_by=on(OrderPlaced, begin, where=condition, key=key))
    body = {"starts": on(OrderPlaced, where=condition), "reactions": (on(OrderPlaced, react, key=key),)}
    with pytest.raises(InvalidDefinition, match=rf"Odd: on OrderPlaced: {complaint}"):
        type("Odd", (Choreography,), body, name="odd")
