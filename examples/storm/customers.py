"""Customers of the storm: they place orders in both styles, ask again until they know, and change their minds.

    Customers.run(seconds) ── at most `open_max` orders at a time ──▶ any node, through its proxy
                           ── what is not settled when the storm ends is asked for until it is, within `patience_s`

Some orders are placed twice at once, some are cancelled, some cannot be paid and some cannot be delivered. What an
order is follows from the seed and its number.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import grpc
import grpc.aio

from protos import orders_pb2_grpc
from protos.orders_pb2 import (
    CancelOrderRequest,
    GetOrderRequest,
    GetStockRequest,
    Order,
    PlaceOrderRequest,
    RestockRequest,
    Stock,
)
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, OrderStatus
from runtime.adapters import AsyncioTasks, SystemClock
from runtime.gateway.calls.channel import CallsChannel
from runtime.testing.virtual.dice import Dice

__all__ = ["SKUS", "Customers", "Unanswered", "wish"]

PLENTY = tuple(f"plenty-{number}" for number in range(12))
SCARCE = tuple(f"scarce-{number}" for number in range(4))  # restocked a little at a time
NONE = "none"
SKUS = (*PLENTY, *SCARCE, NONE)
_PLENTY_UNITS = 10_000_000
_SCARCE_UNITS = 5
_RESTOCK_EVERY_S = 0.3
_DECLINED_CENTS = 1_000_001
_CALL_S = 4.0
_PAUSE_S = 0.05
_ENDED = (READY_TO_SHIP, CANCELLED)
_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,  # too much waits at the node
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,  # by a server that ended during the call
    grpc.StatusCode.INTERNAL,  # of a stream that broke in the middle of a frame
    grpc.StatusCode.UNKNOWN,
)
_CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
]

Client: TypeAlias = "orders_pb2_grpc.OrderServiceAsyncStub"  # named so in the generated stubs only
Answer = TypeVar("Answer")


class Unanswered(Exception):
    """Nobody answered in time. The message says what was asked, and what came instead."""


@dataclass(frozen=True, slots=True)
class CustomerWish:
    """One order as its customer wants it."""

    request: PlaceOrderRequest
    twice: bool  # it is placed with two nodes at once
    cancelled_after_s: float | None


@dataclass(slots=True)
class CustomerTold:
    """What customers were told, by order id."""

    placed: dict[str, None] = field(default_factory=dict)  # acknowledged in any way
    ended: dict[str, OrderStatus.ValueType] = field(default_factory=dict)
    contradicted: list[str] = field(default_factory=list)  # that an order ended in two ways


def wish(seed: int, number: int) -> CustomerWish:
    """What customer `number` wants; the same for the same seed."""
    dice = Dice(seed, f"order {number}")
    kind = dice.fraction()
    sku = NONE if kind < 0.06 else dice.choose(SCARCE) if kind < 0.20 else dice.choose(PLENTY)
    cancelled = dice.between(0.0, 0.3) if dice.chance(0.08) else None
    return CustomerWish(
        PlaceOrderRequest(
            order_id=f"S{seed}-{number:06}",
            sku=sku,
            quantity=1 + dice.below(3),
            amount_cents=_DECLINED_CENTS if dice.chance(0.03) else 100 + dice.below(100_000),
            flow=dice.choose((ORCHESTRATION, CHOREOGRAPHY)),
            wait=cancelled is None,
        ),
        dice.chance(0.10),
        cancelled,
    )


class Customers:
    """All customers of one storm. Enter it, `stock_up`, `run`; then ask how things are."""

    def __init__(self, addresses: Sequence[str], seed: int, *, open_max: int, patience_s: float) -> None:
        """`addresses` are the nodes' proxies. Once the storm is over all must be settled within `patience_s`."""
        self.told = CustomerTold()
        self.begun = 0
        self.settled = 0
        self._addresses = tuple(addresses)
        self._seed = seed
        self._open_max = open_max
        self._patience_s = patience_s
        self._clock = SystemClock()
        self._tasks = AsyncioTasks()
        self._dice = Dice(seed, "which node")
        self._channels: list[CallsChannel] = []  # so what is asked of one node at the same time shares a stream
        self._clients: list[Client] = []
        self._over_at_s = 0.0

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Customers]:
        channels = (grpc.aio.insecure_channel(address, options=_CHANNEL) for address in self._addresses)
        self._channels = [CallsChannel(channel) for channel in channels]
        self._clients = [orders_pb2_grpc.OrderServiceStub(channel) for channel in self._channels]
        try:
            yield self
        finally:
            for channel in self._channels:
                await channel.close()

    async def stock_up(self) -> None:
        self._over_at_s = self._clock.monotonic_s()
        for sku in PLENTY:
            await self._restock(sku, _PLENTY_UNITS, "at first")

    async def run(self, seconds: float) -> None:
        """Place orders for so long, and return when each of them is settled. Raises Unanswered."""
        self._over_at_s = self._clock.monotonic_s() + seconds
        numbers = self._numbers()
        work = [self._tasks.start(self._customer(numbers), name="customer") for _ in range(self._open_max)]
        work.append(self._tasks.start(self._supplier(), name="supplier"))
        try:
            for task in work:
                await task
        finally:
            for task in work:
                task.cancel()

    async def how_they_ended(self) -> list[Order]:
        """Every order as the service says it is now."""
        found: list[Order] = []
        numbers = iter(range(self.begun))

        async def ask() -> None:
            for number in numbers:
                found.append(await self._get(wish(self._seed, number).request.order_id))

        for task in [self._tasks.start(ask(), name="ask") for _ in range(16)]:
            await task
        return found

    async def what_is_on_hand(self) -> list[Stock]:
        return [await self._stock(sku) for sku in SKUS]

    async def _get(self, order_id: str) -> Order:
        """With an unknown status if the service knows of no such order."""
        request = GetOrderRequest(order_id=order_id)
        try:
            return await self._anyhow(lambda client: client.GetOrder(request, timeout=_CALL_S))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
        return Order(order_id=order_id)

    async def _stock(self, sku: str) -> Stock:
        request = GetStockRequest(sku=sku)
        return await self._anyhow(lambda client: client.GetStock(request, timeout=_CALL_S))

    # --- what each of them does ---

    def _numbers(self) -> Iterator[int]:
        while self._clock.monotonic_s() < self._over_at_s:
            self.begun += 1
            yield self.begun - 1

    async def _customer(self, numbers: Iterator[int]) -> None:
        for number in numbers:  # shared: each takes the next one
            await self._order(wish(self._seed, number))
            self.settled += 1

    async def _order(self, wish: CustomerWish) -> None:
        request = wish.request
        places = [self._tasks.start(self._place(request), name="place") for _ in range(1 + wish.twice)]
        for place in places:
            await place
        if wish.cancelled_after_s is not None:
            await self._clock.sleep(wish.cancelled_after_s)
            await self._cancel(request.order_id)
        again = PlaceOrderRequest()
        again.CopyFrom(request)
        again.wait = True
        while request.order_id not in self.told.ended:  # placing it again gives it as it is, or waits for its end
            await self._place(again)

    async def _place(self, request: PlaceOrderRequest) -> None:
        order = await self._anyhow(lambda client: client.PlaceOrder(request, timeout=_CALL_S))
        self.told.placed[order.order_id] = None
        if order.status in _ENDED:
            before = self.told.ended.setdefault(order.order_id, order.status)
            if before != order.status:
                names = (OrderStatus.Name(before), OrderStatus.Name(order.status))
                self.told.contradicted.append(f"{order.order_id} was told to be {names[0]}, then {names[1]}")

    async def _cancel(self, order_id: str) -> None:
        """It may be refused, as when the order is on its way out already."""
        request = CancelOrderRequest(order_id=order_id, reason="changed my mind")
        try:
            await self._anyhow(lambda client: client.CancelOrder(request, timeout=_CALL_S))
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise

    async def _supplier(self) -> None:
        delivery = 0
        while self._clock.monotonic_s() < self._over_at_s:
            delivery += 1
            await self._restock(SCARCE[delivery % len(SCARCE)], _SCARCE_UNITS, f"delivery {delivery}")
            await self._clock.sleep(_RESTOCK_EVERY_S)

    async def _restock(self, sku: str, units: int, request_id: str) -> None:
        request = RestockRequest(sku=sku, quantity=units, request_id=request_id)
        await self._anyhow(lambda client: client.Restock(request, timeout=_CALL_S))

    async def _anyhow(self, call: Callable[[Client], Awaitable[Answer]]) -> Answer:
        """Ask one node after another until one answers. Raises Unanswered, or the error that is an answer."""
        while True:
            try:
                return await call(self._dice.choose(self._clients))
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AGAIN:
                    raise
                if self._clock.monotonic_s() > self._over_at_s + self._patience_s:
                    text = f"no answer within {self._patience_s:g} s after the storm; at last: {error.details()}"
                    raise Unanswered(text) from error
            await self._clock.sleep(_PAUSE_S)
