"""OrderService: what a client asks, and what it is told, over a real gRPC server on services in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

import grpc
import grpc.aio
import pytest

from actors.billing import Billing
from actors.gateway import register
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import orders_pb2_grpc
from protos.orders_pb2 import (
    CancelOrderRequest,
    GetOrderRequest,
    GetStockRequest,
    Order,
    PlaceOrderRequest,
    RestockRequest,
    WatchOrderRequest,
)
from protos.sales_pb2 import (
    CANCELLED,
    CHOREOGRAPHY,
    ORCHESTRATION,
    PENDING,
    READY_TO_SHIP,
    CancelOrder,
    OrderState,
    PlaceOrder,
)
from protos.warehouse_pb2 import Restock
from runtime.adapters import system_ports
from runtime.durable.client import Client, CommandOutcome
from runtime.errors import DeadlineExceeded, MessageTooLarge, Overloaded
from runtime.gateway.interceptors import EdgeInterceptor
from runtime.protos.saga_pb2 import CancelAccepted, CancelRefused, CancelSaga, SagaRecord
from tests.unit.actors.memory_client import MemoryClient

Code = grpc.StatusCode
Stub: TypeAlias = "orders_pb2_grpc.OrderServiceAsyncStub"  # known to its stubs only


@pytest.fixture
def commands() -> MemoryClient:
    return MemoryClient(services=(Sales, Billing, Warehouse))


@asynccontextmanager
async def _serving(commands: MemoryClient) -> AsyncIterator[Stub]:
    server = grpc.aio.server(interceptors=[EdgeInterceptor(system_ports())])
    register(server, cast(Client, commands))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield orders_pb2_grpc.OrderServiceStub(channel)
    finally:
        await server.stop(None)


@pytest.fixture
async def stub(commands: MemoryClient) -> AsyncIterator[Stub]:
    async with _serving(commands) as client:
        yield client


def _request(**changes: Any) -> PlaceOrderRequest:
    fields: dict[str, Any] = {"order_id": "ORD-1", "sku": "CUP", "quantity": 2, "amount_cents": 500, **changes}
    return PlaceOrderRequest(**fields)


async def _refused(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), str(caught.value.details())


def _ordered(commands: MemoryClient, **changes: Any) -> None:
    fields: dict[str, Any] = {"order_id": "ORD-1", "amount_cents": 500, "status": PENDING, **changes}
    commands.change("sales", "ORD-1", OrderState(**fields))


# --- placing ---


async def test_a_placed_order_is_pending(stub: Stub, commands: MemoryClient) -> None:
    order = await stub.PlaceOrder(_request(flow=CHOREOGRAPHY))
    assert (order.order_id, order.status, order.flow, order.line.sku) == ("ORD-1", PENDING, CHOREOGRAPHY, "CUP")
    (sent,) = commands.sent
    assert isinstance(sent.command, PlaceOrder)


async def test_the_same_order_again_gives_the_same_order_as_it_is_now(stub: Stub, commands: MemoryClient) -> None:
    await stub.PlaceOrder(_request())
    state = cast(OrderState, commands.states["sales", "ORD-1"])
    state.status = READY_TO_SHIP
    assert (await stub.PlaceOrder(_request())).status == READY_TO_SHIP


async def test_the_same_id_with_other_content_already_exists(stub: Stub) -> None:
    await stub.PlaceOrder(_request())
    code, text = await _refused(stub.PlaceOrder(_request(quantity=3)))
    assert code is Code.ALREADY_EXISTS
    assert text == "order 'ORD-1' exists with other content: quantity is 2, not 3"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"order_id": ""}, "order_id must not be empty"),
        ({"sku": ""}, "sku must not be empty"),
        ({"quantity": 0}, "quantity must be 1 or more; it is 0"),
        ({"quantity": -(2**63)}, f"quantity must be 1 or more; it is -{2**63}"),
        ({"amount_cents": -1}, "amount_cents must be 0 or more; it is -1"),
        ({"order_id": "x" * 257}, "order_id must be at most 256 bytes of UTF-8; it has 257"),
        ({"sku": "🏺" * 65}, "sku must be at most 256 bytes of UTF-8; it has 260"),
        ({"order_id": "ORD\0"}, "order_id holds a control character (U+0000) at 3; take text without it"),
        ({"sku": "CHAIR\n"}, "sku holds a control character (U+000A) at 5; take text without it"),
        ({"flow": 7}, "flow must be 0 (orchestration) or 1 (choreography); it is 7"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_sent(
    stub: Stub, commands: MemoryClient, changes: dict[str, Any], text: str
) -> None:
    assert await _refused(stub.PlaceOrder(_request(**changes))) == (Code.INVALID_ARGUMENT, text)
    assert commands.sent == []


@pytest.mark.parametrize("name", ["🏺" * 64, "a/b c", "\u202eORD", "x" * 256, "naïve"])
async def test_any_unicode_makes_an_id(stub: Stub, name: str) -> None:
    assert (await stub.PlaceOrder(_request(order_id=name, sku=name))).order_id == name
    assert (await stub.GetOrder(GetOrderRequest(order_id=name))).line.sku == name


async def _eventually_changed(commands: MemoryClient, status: int) -> None:
    async with commands.watch("sales", "ORD-1") as readings:
        await anext(readings)
    _ordered(commands, status=status, label_id="label-ORD-1")


@pytest.mark.parametrize("status", [READY_TO_SHIP, CANCELLED])
async def test_who_waits_is_answered_when_the_order_has_ended(stub: Stub, commands: MemoryClient, status: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_eventually_changed(commands, status))
        order = await stub.PlaceOrder(_request(wait=True))
    assert (order.status, order.label_id) == (status, "label-ORD-1")


async def test_who_waits_for_an_order_that_has_ended_is_answered_at_once(stub: Stub, commands: MemoryClient) -> None:
    await stub.PlaceOrder(_request())
    cast(OrderState, commands.states["sales", "ORD-1"]).status = CANCELLED
    assert (await stub.PlaceOrder(_request(wait=True))).status == CANCELLED


async def test_who_waits_too_long_is_told_so(stub: Stub) -> None:
    code, _ = await _refused(stub.PlaceOrder(_request(wait=True), timeout=0.05))
    assert code is Code.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Overloaded("full"), Code.UNAVAILABLE),
        (MessageTooLarge("big"), Code.RESOURCE_EXHAUSTED),
        (DeadlineExceeded("slow"), Code.DEADLINE_EXCEEDED),
    ],
)
async def test_what_the_runtime_refuses_reaches_the_client(
    stub: Stub, commands: MemoryClient, error: Exception, code: grpc.StatusCode
) -> None:
    commands.answers[PlaceOrder] = error
    assert await _refused(stub.PlaceOrder(_request())) == (code, str(error))


async def test_a_command_that_was_given_up_is_an_error_with_its_reason(stub: Stub, commands: MemoryClient) -> None:
    commands.answers[PlaceOrder] = CommandOutcome(None, "disk on fire", bytes(16), bytes(16))
    code, text = await _refused(stub.PlaceOrder(_request()))
    assert code is Code.INTERNAL
    assert "given up: disk on fire" in text


async def test_an_order_whose_answer_was_lost_is_read(stub: Stub, commands: MemoryClient) -> None:
    _ordered(commands)
    commands.answers[PlaceOrder] = CommandOutcome(None, "", bytes(16), bytes(16))
    assert (await stub.PlaceOrder(_request())).amount_cents == 500


# --- reading ---


async def test_an_unknown_order_is_not_found(stub: Stub) -> None:
    calls: list[Coroutine[Any, Any, Any] | Any] = [
        stub.GetOrder(GetOrderRequest(order_id="ORD-9")),
        stub.CancelOrder(CancelOrderRequest(order_id="ORD-9")),
        stub.WatchOrder(WatchOrderRequest(order_id="ORD-9")).read(),
    ]
    for call in calls:
        assert await _refused(call) == (Code.NOT_FOUND, "there is no order 'ORD-9'")


async def test_an_order_that_was_only_asked_to_be_cancelled_is_not_found(stub: Stub, commands: MemoryClient) -> None:
    commands.change("sales", "ORD-1", OrderState())
    assert (await _refused(stub.GetOrder(GetOrderRequest(order_id="ORD-1"))))[0] is Code.NOT_FOUND


async def test_who_watches_sees_each_change_until_the_order_ends(stub: Stub, commands: MemoryClient) -> None:
    _ordered(commands)
    seen: list[Order] = []
    async for order in stub.WatchOrder(WatchOrderRequest(order_id="ORD-1")):
        seen.append(order)
        if order.status == PENDING:
            _ordered(commands, status=READY_TO_SHIP)
    assert [order.status for order in seen] == [PENDING, READY_TO_SHIP]
    assert seen[0].revision < seen[1].revision


# --- cancelling ---


async def test_a_choreographed_order_is_cancelled_by_sales_in_its_own_conversation(
    stub: Stub, commands: MemoryClient
) -> None:
    _ordered(commands, flow=CHOREOGRAPHY)
    order = await stub.CancelOrder(CancelOrderRequest(order_id="ORD-1", reason="too slow"))
    assert (order.status, order.reason) == (CANCELLED, "too slow")
    (sent,) = commands.sent
    assert isinstance(sent.command, CancelOrder)
    assert sent.options["process"] == "order-choreography"
    assert sent.options["conversation"] == b"c" * 16


async def test_s89_an_orchestrated_order_is_cancelled_by_its_process(stub: Stub, commands: MemoryClient) -> None:
    _ordered(commands, flow=ORCHESTRATION)
    commands.change("order-process", "ORD-1", SagaRecord(definition="order-process"))
    commands.answers[CancelSaga] = CancelAccepted(reason="too slow")
    await stub.CancelOrder(CancelOrderRequest(order_id="ORD-1", reason="too slow"))
    (sent,) = commands.sent
    assert sent.command == CancelSaga(reason="too slow")
    assert (sent.options["kind"], sent.options["key"]) == ("order-process", "ORD-1")
    assert sent.options["conversation"] == b"c" * 16


async def test_s89_past_the_pivot_a_cancellation_is_refused_with_the_reason(stub: Stub, commands: MemoryClient) -> None:
    _ordered(commands)
    commands.change("order-process", "ORD-1", SagaRecord(definition="order-process"))
    commands.answers[CancelSaga] = CancelRefused(reason="there is no way back after ship")
    refused = await _refused(stub.CancelOrder(CancelOrderRequest(order_id="ORD-1")))
    assert refused == (Code.FAILED_PRECONDITION, "there is no way back after ship")


@pytest.mark.parametrize("record", [None, SagaRecord()])
async def test_a_process_that_has_not_begun_yet_is_to_be_asked_again(
    stub: Stub, commands: MemoryClient, record: SagaRecord | None
) -> None:
    _ordered(commands)
    if record is not None:
        commands.change("order-process", "ORD-1", record)
    commands.answers[CancelSaga] = CancelRefused(reason="there is no such process")
    code, _ = await _refused(stub.CancelOrder(CancelOrderRequest(order_id="ORD-1")))
    assert code is Code.UNAVAILABLE


async def test_an_order_that_is_ready_cannot_be_cancelled(stub: Stub, commands: MemoryClient) -> None:
    _ordered(commands, status=READY_TO_SHIP)
    refused = await _refused(stub.CancelOrder(CancelOrderRequest(order_id="ORD-1")))
    assert refused == (Code.FAILED_PRECONDITION, "the order is ready to ship")
    assert commands.sent == []


async def test_a_cancelled_order_is_cancelled_again_without_a_word(stub: Stub, commands: MemoryClient) -> None:
    _ordered(commands, status=CANCELLED, reason="before")
    assert (await stub.CancelOrder(CancelOrderRequest(order_id="ORD-1"))).reason == "before"
    assert commands.sent == []


# --- stock ---


async def test_restocking_gives_the_stock(stub: Stub) -> None:
    stock = await stub.Restock(RestockRequest(sku="CUP", quantity=3))
    assert (stock.sku, stock.on_hand, stock.restocked) == ("CUP", 3, 3)


async def test_the_same_request_has_the_same_message_id_and_another_has_not(stub: Stub, commands: MemoryClient) -> None:
    for sku, request_id in (("CUP", "r1"), ("CUP", "r1"), ("CUP", "r2"), ("POT", "r1"), ("CUP", "")):
        await stub.Restock(RestockRequest(sku=sku, quantity=3, request_id=request_id))
    ids = [sent.options["message_id"] for sent in commands.sent]
    assert ids[0] == ids[1]
    assert len({*ids[:4]}) == 3
    assert [len(id) for id in ids] == [16, 16, 16, 16, 0]


async def test_a_restock_that_was_counted_before_shows_the_stock(stub: Stub, commands: MemoryClient) -> None:
    await stub.Restock(RestockRequest(sku="CUP", quantity=3, request_id="r1"))
    commands.answers[Restock] = CommandOutcome(None, "", bytes(16), bytes(16))
    assert (await stub.Restock(RestockRequest(sku="CUP", quantity=3, request_id="r1"))).on_hand == 3


async def test_more_stock_than_can_be_counted_is_refused(stub: Stub) -> None:
    code, text = await _refused(stub.Restock(RestockRequest(sku="CUP", quantity=2**63 - 1)))
    assert code is Code.FAILED_PRECONDITION
    assert "cannot be counted" in text


@pytest.mark.parametrize("quantity", [0, -5])
async def test_restocking_nothing_is_bad_input(stub: Stub, quantity: int) -> None:
    code, _ = await _refused(stub.Restock(RestockRequest(sku="CUP", quantity=quantity)))
    assert code is Code.INVALID_ARGUMENT


async def test_a_sku_that_was_never_restocked_has_no_stock(stub: Stub) -> None:
    stock = await stub.GetStock(GetStockRequest(sku="CUP"))
    assert (stock.sku, stock.on_hand) == ("CUP", 0)
