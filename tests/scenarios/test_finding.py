"""A. How an instance is found: by the headers of an answer, by a field of each event, by any key but the empty one."""

from __future__ import annotations

import pytest

from protos.billing_pb2 import BillOrder, OrderBilled
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderPlaced, PlaceOrder
from protos.warehouse_pb2 import CreateShippingLabel, ShippingLabelCreated
from runtime.durations import days
from runtime.errors import InvalidMessage
from runtime.observe.conversation import MessageStatus, read_conversation
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.awaiting import Await
from runtime.saga.saga import Saga
from tests.scenarios.conftest import OpenSagas
from tests.scenarios.services import KeyedBilling, KeyedWarehouse, MisnamingBilling, SalesOfHats
from tests.unit.saga.test_nodes import bill, saga


def billing() -> type[Saga[OrderProcessState]]:
    first = bill()
    return saga(bill=first, flow=first)


def of_both(state: OrderProcessState) -> str:
    return f"{state.order_id} {state.line.sku}"


def awaiting() -> type[Saga[OrderProcessState]]:
    label = Await(ShippingLabelCreated, key=of_both, by="label_id", within=days(1))
    paid = Await(OrderBilled, key=of_both, by="line.sku", within=days(1))
    return saga(label=label, paid=paid, flow=label >> paid)


@pytest.mark.broken_by("answer-goes-by-its-body")
async def test_s8_an_answer_finds_its_instance_by_its_headers_whatever_its_body_names(open_sagas: OpenSagas) -> None:
    cluster = await open_sagas(billing(), billing=MisnamingBilling)
    await cluster.send(PlaceOrder(order_id="ORD-1"), OrderPlaced)
    await cluster.at_rest()
    assert await cluster.status("process", "ORD-1") == "completed"
    assert await cluster.status("process", "ORD-2") == "none"


@pytest.mark.broken_by("unasked-message-counts-as-an-answer")
async def test_s8_an_answer_without_its_headers_moves_nothing_and_is_recorded(open_sagas: OpenSagas) -> None:
    cluster = await open_sagas(awaiting(), sales=SalesOfHats, billing=KeyedBilling, warehouse=KeyedWarehouse)
    await cluster.send(PlaceOrder(order_id="ORD-1"), OrderPlaced)
    await cluster.advance(1)
    stray = await cluster.client().ask(ShippingLabelCreated(order_id="ORD-1"), kind="process", key="ORD-1")
    await cluster.advance(1)
    found = await cluster.client().read("process", "ORD-1")
    assert found is not None and isinstance(found.state, SagaRecord)
    assert [task.status for task in found.state.tasks[:2]] == [TaskRecord.RUNNING, TaskRecord.WAITING]
    (node, *_) = cluster.sim.serving
    assert node.node is not None
    (told,) = (await read_conversation(node.node.store, stray.conversation)).messages
    assert told.status is MessageStatus.IGNORED


@pytest.mark.broken_by("awaited-event-goes-by-its-own-key")
async def test_s9_events_that_hold_a_made_up_key_in_different_fields_find_one_instance(open_sagas: OpenSagas) -> None:
    """The key is made of two facts of the instance. Each event has it in a field of its own."""
    cluster = await open_sagas(awaiting(), sales=SalesOfHats, billing=KeyedBilling, warehouse=KeyedWarehouse)
    for key in ("ORD-1", "ORD-2"):
        await cluster.send(PlaceOrder(order_id=key), OrderPlaced)
    await cluster.advance(1)
    await cluster.send(CreateShippingLabel(order_id="ORD-1", sku="HAT"), ShippingLabelCreated)
    await cluster.send(BillOrder(order_id="ORD-1"), OrderBilled)
    await cluster.advance(5)
    assert await cluster.status("process", "ORD-1") == "completed"
    assert await cluster.status("process", "ORD-2") == "running"


@pytest.mark.broken_by("zero-is-no-key")
@pytest.mark.parametrize("key", ["0", "00000000-0000-0000-0000-000000000000", " "])
async def test_s11_a_key_that_says_zero_is_a_key_like_any_other(open_sagas: OpenSagas, key: str) -> None:
    cluster = await open_sagas(billing())
    await cluster.send(PlaceOrder(order_id=key), OrderPlaced)
    await cluster.at_rest()
    assert await cluster.status("process", key) == "completed"


async def test_s11_an_empty_key_is_none_and_nothing_is_made(open_sagas: OpenSagas) -> None:
    cluster = await open_sagas(billing())
    with pytest.raises(InvalidMessage, match="needs a key in its field 'order_id'; it is empty"):
        await cluster.send(PlaceOrder(order_id=""), OrderPlaced)
