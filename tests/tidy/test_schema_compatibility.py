"""Schemas only grow: what was released once can be read, routed and called by every later release."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet

from tests.tidy.schemas import RELEASED, breaking_changes, schemas_now


def test_nothing_that_was_released_is_broken() -> None:
    if not RELEASED.exists():
        pytest.skip("nothing was released yet; `make snapshot` keeps the schemas of a release")
    released = FileDescriptorSet.FromString(RELEASED.read_bytes())
    assert released.file
    found = breaking_changes(released, schemas_now())
    assert not found, "these break what is stored, or nodes of the last release:\n" + "\n".join(found)


def test_the_same_schemas_break_nothing() -> None:
    assert breaking_changes(schemas_now(), schemas_now()) == []


def file_of(schemas: FileDescriptorSet, name: str) -> FileDescriptorProto:
    return next(file for file in schemas.file if file.name.endswith(f"protos/{name}.proto"))


def message_of(schemas: FileDescriptorSet, file: str, name: str) -> DescriptorProto:
    return next(message for message in file_of(schemas, file).message_type if message.name == name)


def drop_field(schemas: FileDescriptorSet) -> None:
    del message_of(schemas, "sales", "OrderPlaced").field[0]


def renumber_field(schemas: FileDescriptorSet) -> None:
    message_of(schemas, "sales", "OrderPlaced").field[0].number = 99


def rename_field(schemas: FileDescriptorSet) -> None:
    message_of(schemas, "sales", "OrderPlaced").field[0].name = "id"


def retype_field(schemas: FileDescriptorSet) -> None:
    field = message_of(schemas, "sales", "OrderPlaced").field[0]
    field.type = field.TYPE_BYTES


def repeat_field(schemas: FileDescriptorSet) -> None:
    field = message_of(schemas, "sales", "OrderPlaced").field[0]
    field.label = field.LABEL_REPEATED


def join_oneof(schemas: FileDescriptorSet) -> None:
    message_of(schemas, "sales", "OrderPlaced").field[0].oneof_index = 0


def reroute(schemas: FileDescriptorSet) -> None:
    message_of(schemas, "billing", "BillOrder").options.Clear()


def drop_message(schemas: FileDescriptorSet) -> None:
    del file_of(schemas, "billing").message_type[0]


def renumber_enum(schemas: FileDescriptorSet) -> None:
    file_of(schemas, "sales").enum_type[0].value[1].number = 7


def drop_nested_enum_value(schemas: FileDescriptorSet) -> None:
    del message_of(schemas, "saga", "SagaRecord").enum_type[0].value[-1]


def drop_method(schemas: FileDescriptorSet) -> None:
    del file_of(schemas, "orders").service[0].method[0]


def drop_service(schemas: FileDescriptorSet) -> None:
    del file_of(schemas, "mesh").service[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (drop_field, "field shop.OrderPlaced.order_id = 1 is gone"),
        (renumber_field, "field shop.OrderPlaced.order_id = 1 is gone"),
        (rename_field, "is now called id"),
        (retype_field, "has another type"),
        (repeat_field, "is now repeated"),
        (join_oneof, "oneof"),
        (reroute, "message shop.BillOrder is routed differently"),
        (drop_message, "message shop.BillOrder is gone"),
        (renumber_enum, "value shop.Flow.CHOREOGRAPHY"),
        (drop_nested_enum_value, "value amends.SagaRecord.Status.ABANDONED"),
        (drop_method, "method shop.OrderService.PlaceOrder"),
        (drop_service, "service amends.Peer is gone"),
    ],
)
def test_a_breaking_change_is_named(change: Callable[[FileDescriptorSet], None], said: str) -> None:
    changed = schemas_now()
    change(changed)
    (found,) = breaking_changes(schemas_now(), changed)
    assert said in found


def test_adding_is_free() -> None:
    changed = schemas_now()
    message_of(changed, "sales", "OrderPlaced").field.add(name="gift", number=50, type=8, label=1)
    file_of(changed, "sales").message_type.add(name="OrderGifted")
    file_of(changed, "sales").enum_type[0].value.add(name="BOTH", number=9)
    assert breaking_changes(schemas_now(), changed) == []
