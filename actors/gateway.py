"""OrderService: what clients call, on any node. A call becomes a command, and the command's answer becomes the reply.

    PlaceOrder ─▶ PlaceOrder to sales/ORD-1 ─▶ OrderPlaced | OrderAlreadyPlaced | OrderConflict
    PlaceOrders ─▶ each order of its stream as by PlaceOrder
    CancelOrder ─▶ the flow that drives the order: CancelSaga to order-process/ORD-1, or CancelOrder to sales/ORD-1
    GetOrder, GetStock ─▶ the store · WatchOrder ─▶ each committed change

Nothing is kept between calls, and every call may be repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any, Never

import grpc
import grpc.aio
from google.protobuf.message import Message

from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import orders_pb2, orders_pb2_grpc, sales_pb2, warehouse_pb2
from protos.orders_pb2 import Order, Stock
from protos.sales_pb2 import (
    CANCELLED,
    CHOREOGRAPHY,
    ORCHESTRATION,
    PENDING,
    READY_TO_SHIP,
    UNKNOWN,
    CancellationRefused,
    OrderAlreadyPlaced,
    OrderConflict,
    OrderLine,
    OrderPlaced,
    OrderState,
)
from protos.warehouse_pb2 import RestockRefused, StockState
from runtime import ActorState, Client, CommandOutcome
from runtime.envelope import KEY_BYTES_MAX, check_key
from runtime.errors import CannotJoin, DeadlineExceeded, InvalidMessage, NoSuchSaga, Overloaded
from runtime.gateway.calls.calls_of import CallsOf
from runtime.gateway.interceptors import CallFailed, Context, time_left_s, traceparent
from runtime.protos.saga_pb2 import CancelRefused

__all__ = ["ID_BYTES_MAX", "OrderService", "register"]

ID_BYTES_MAX = KEY_BYTES_MAX
"""The longest order id, SKU and request id, in bytes of UTF-8."""
REASON_BYTES_MAX = 1024

_ENDED = (READY_TO_SHIP, CANCELLED)


def register(server: grpc.aio.Server, client: Client) -> None:
    """Offer OrderService on a server that is not started yet."""
    orders_pb2_grpc.add_OrderServiceServicer_to_server(OrderService(client), server)


class OrderService(orders_pb2_grpc.OrderServiceServicer):
    """Raises what runtime.gateway.interceptors turns into codes; see orders.proto for which."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def PlaceOrder(self, request: orders_pb2.PlaceOrderRequest, context: Context) -> Order:  # noqa: N802 - named by orders.proto
        command = _placement(request)
        if not request.wait:
            return await self._place(command, context)
        async with self._client.watch(Sales.kind, request.order_id) as readings:  # before sending: misses nothing
            order = await self._place(command, context)
            return order if order.status in _ENDED else await _ended(readings, time_left_s(context))

    PlaceOrders: Any = CallsOf("/shop.OrderService/PlaceOrder")

    async def GetOrder(self, request: orders_pb2.GetOrderRequest, context: Context) -> Order:  # noqa: N802 - named by orders.proto
        return _order(await self._existing(request.order_id))

    async def WatchOrder(self, request: orders_pb2.WatchOrderRequest, context: Context) -> AsyncIterator[Order]:  # noqa: N802 - named by orders.proto
        await self._existing(request.order_id)
        async with self._client.watch(Sales.kind, request.order_id) as readings:
            async for reading in readings:
                order = _order(reading)
                yield order
                if order.status in _ENDED:
                    return

    async def CancelOrder(self, request: orders_pb2.CancelOrderRequest, context: Context) -> Order:  # noqa: N802 - named by orders.proto
        _check_text("reason", request.reason, REASON_BYTES_MAX, may_be_empty=True)
        reading = await self._existing(request.order_id)
        order = _order(reading)
        if order.status == CANCELLED:
            return order
        if order.status == READY_TO_SHIP:
            _refuse("the order is ready to ship")
        try:
            _outcome(await self._cancel(order, reading, request.reason or "cancelled by its client", context))
        except CannotJoin:  # the order has ended meanwhile
            if _order(await self._existing(request.order_id)).status != CANCELLED:
                raise
        return _order(await self._existing(request.order_id))

    async def Restock(self, request: orders_pb2.RestockRequest, context: Context) -> Stock:  # noqa: N802 - named by orders.proto
        check_key(request.sku, "sku")
        _check_text("request_id", request.request_id, ID_BYTES_MAX, may_be_empty=True)
        _check_quantity(request.quantity)
        reply = await self._client.ask(
            warehouse_pb2.Restock(sku=request.sku, quantity=request.quantity),
            timeout=time_left_s(context),
            message_id=_restock_id(request) if request.request_id else b"",
            traceparent=traceparent(context),
        )
        _outcome(reply)
        return await self._stock(request.sku)

    async def GetStock(self, request: orders_pb2.GetStockRequest, context: Context) -> Stock:  # noqa: N802 - named by orders.proto
        _check_text("sku", request.sku, ID_BYTES_MAX)
        return await self._stock(request.sku)

    # --- what they are made of ---

    async def _place(self, command: sales_pb2.PlaceOrder, context: Context) -> Order:
        reply = await self._client.ask(command, timeout=time_left_s(context), traceparent=traceparent(context))
        answer = _outcome(reply)
        match answer:
            case OrderPlaced():
                return _order_of(_placed(command))
            case OrderAlreadyPlaced():
                return _order_of(answer.order)
            case _:  # the answer was lost, the order was not
                return _order(await self._existing(command.order_id))

    async def _cancel(self, order: Order, reading: ActorState, reason: str, context: Context) -> CommandOutcome:
        """In the order's own conversation, to whoever drives it. Raises Overloaded."""
        timeout_s, trace = time_left_s(context), traceparent(context)
        if order.flow == CHOREOGRAPHY:
            return await self._client.ask(
                sales_pb2.CancelOrder(order_id=order.order_id, reason=reason),
                timeout=timeout_s,
                conversation=reading.conversation,
                process=OrderChoreography.name,
                traceparent=trace,
            )
        try:
            return await self._client.cancel(
                OrderProcess.kind, order.order_id, reason, timeout=timeout_s, traceparent=trace
            )
        except NoSuchSaga:  # for now: the order is placed, and the start of its process still on its way
            raise Overloaded(f"the process of order {order.order_id!r} has not begun yet; try again") from None

    async def _existing(self, order_id: str) -> ActorState:
        """The order as committed. Raises NOT_FOUND."""
        _check_text("order_id", order_id, ID_BYTES_MAX)
        reading = await self._client.read(Sales.kind, order_id)
        if reading is None or _state(reading).status == UNKNOWN:
            raise CallFailed(grpc.StatusCode.NOT_FOUND, f"there is no order {order_id!r}")
        return reading

    async def _stock(self, sku: str) -> Stock:
        reading = await self._client.read(Warehouse.kind, sku)
        if reading is None:
            return Stock(sku=sku)
        state = reading.state
        assert isinstance(state, StockState)
        return Stock(
            sku=sku,
            on_hand=state.on_hand,
            restocked=state.restocked,
            labelled=state.labelled,
            voided=state.voided,
            labels=state.labels,
            labels_voided=state.labels_voided,
            back_orders=state.back_orders,
        )


async def _ended(readings: AsyncIterator[ActorState], timeout_s: float) -> Order:
    """The order as it ended. Raises DeadlineExceeded, which says nothing about the order."""
    try:
        async with asyncio.timeout(timeout_s):
            async for reading in readings:
                if _state(reading).status in _ENDED:
                    return _order(reading)
    except TimeoutError:
        pass
    raise DeadlineExceeded(f"the order is placed, but did not end within {timeout_s:g} s; get or watch it")


def _placement(request: orders_pb2.PlaceOrderRequest) -> sales_pb2.PlaceOrder:
    """The command that a request asks for. Raises InvalidMessage with what is wrong and what is allowed."""
    check_key(request.order_id, "order_id")
    check_key(request.sku, "sku")
    _check_quantity(request.quantity)
    if request.amount_cents < 0:
        raise InvalidMessage(f"amount_cents must be 0 or more; it is {request.amount_cents}")
    if request.flow not in (ORCHESTRATION, CHOREOGRAPHY):
        raise InvalidMessage(f"flow must be 0 (orchestration) or 1 (choreography); it is {request.flow}")
    return sales_pb2.PlaceOrder(
        order_id=request.order_id,
        line=OrderLine(sku=request.sku, quantity=request.quantity),
        amount_cents=request.amount_cents,
        flow=request.flow,
    )


def _check_text(name: str, value: str, bytes_max: int, *, may_be_empty: bool = False) -> None:
    if not value and not may_be_empty:
        raise InvalidMessage(f"{name} must not be empty")
    size = len(value.encode())
    if size > bytes_max:
        raise InvalidMessage(f"{name} must be at most {bytes_max} bytes of UTF-8; it has {size}")


def _check_quantity(quantity: int) -> None:
    if quantity <= 0:
        raise InvalidMessage(f"quantity must be 1 or more; it is {quantity}")


def _restock_id(request: orders_pb2.RestockRequest) -> bytes:
    """The same for the same request: what makes the second one a duplicate. It has no time, so it begins with ff."""
    named = f"restock\0{len(request.sku)}\0{request.sku}\0{request.request_id}"
    return b"\xff" + hashlib.blake2b(named.encode(), digest_size=15).digest()


def _outcome(reply: CommandOutcome) -> Message | None:
    """The answer to a command; None if it was handled and the answer is lost. Raises when it says no."""
    if reply.fault:
        raise CallFailed(grpc.StatusCode.INTERNAL, f"the command was given up: {reply.fault}")
    match reply.message:
        case OrderConflict(order_id=order_id, difference=difference):
            text = f"order {order_id!r} exists with other content: {difference}"
            raise CallFailed(grpc.StatusCode.ALREADY_EXISTS, text)
        case CancellationRefused(reason=reason) | CancelRefused(reason=reason) | RestockRefused(reason=reason):
            _refuse(reason)
    return reply.message


def _refuse(reason: str) -> Never:
    raise CallFailed(grpc.StatusCode.FAILED_PRECONDITION, reason)


def _state(reading: ActorState) -> OrderState:
    assert isinstance(reading.state, OrderState)
    return reading.state


def _order(reading: ActorState) -> Order:
    return _order_of(_state(reading), reading.revision)


def _placed(command: sales_pb2.PlaceOrder) -> OrderState:
    return OrderState(
        order_id=command.order_id,
        line=command.line,
        amount_cents=command.amount_cents,
        flow=command.flow,
        status=PENDING,
    )


def _order_of(state: OrderState, revision: int = 0) -> Order:
    return Order(
        order_id=state.order_id,
        line=state.line,
        amount_cents=state.amount_cents,
        flow=state.flow,
        status=state.status,
        label_id=state.label_id,
        reason=state.reason,
        revision=revision,
    )
