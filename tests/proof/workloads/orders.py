"""Clients of the order system for the simulator, and the checks of the books when they are done.

    python -m runtime.testing simulate --workload orders

Clients call the real gateway on any node, and ask again until they have an answer. They place orders in both styles.
Some they place twice at once or with other content, and some they cancel. Meanwhile they restock.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar, cast

import grpc

from actors.catalogue import catalogue
from actors.gateway import OrderService
from actors.warehouse import label_id_of
from protos import orders_pb2
from protos.billing_pb2 import BILLED, BillState
from protos.orders_pb2 import Order
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, UNKNOWN, OrderState, OrderStatus
from protos.warehouse_pb2 import StockState
from runtime.errors import AmendsError
from runtime.gateway.interceptors import CallFailed, Context
from runtime.host import Node
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World

__all__ = ["FINAL", "OrderClients", "Orders", "Wish", "orders"]

_ORDERS = 20
_CLIENTS = 5
_CROWD = 0.3  # In so many runs each order has a client of its own, and all begin at once.
_CALL_S = 5.0
_STOCK: Mapping[str, int] = MappingProxyType({"plenty": 1_000, "scarce": 6, "none": 0})
_AMOUNTS = (0, 1, 999, 1_000_001)  # The last one is declined.
FINAL = (grpc.StatusCode.ALREADY_EXISTS, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)
_ENDED = (READY_TO_SHIP, CANCELLED)
_T = TypeVar("_T")


class _Call:
    """The part of a gRPC call that the gateway reads."""

    def time_remaining(self) -> float:
        return _CALL_S

    def invocation_metadata(self) -> tuple[()]:
        return ()


@dataclass(slots=True)
class Wish:
    """One order that a client is going to place, and the answers to the client."""

    request: orders_pb2.PlaceOrderRequest
    dice: Dice  # Each order has its own, so that one can be left out without a change of the others.
    number: int
    again: bool = False  # It is placed twice at once.
    cancelled: bool = False  # It is cancelled on its way.
    contradicted: bool = False  # It is placed once more, with other content.
    placed: bool = False
    told: dict[OrderStatus.ValueType, None] = field(default_factory=dict)  # The ends of which a client was told.


class Orders:
    """The workload, and its deployment: one catalogue for all runs, clients anew for each."""

    def __init__(self) -> None:
        self.catalogue = catalogue()
        self.settings: dict[str, Any] = {}
        self.expects: tuple[str, ...] = (
            "completed",
            "cancelled",
            "sagas compensated",
            "handled unposted",
            "handled together",
        )
        self.never: tuple[str, ...] = ("MESSAGE_PARKED",)  # No order is poisoned.

    def deploy(self, dice: Dice) -> Orders:
        return self

    def begin(self, world: World, dice: Dice) -> OrderClients:
        return OrderClients(world, dice)


orders = Orders


class OrderClients:
    """All clients of one run."""

    orders = _ORDERS
    stock: Mapping[str, int] = _STOCK
    pause_s = 0.5  # The longest pause between two orders of one client.
    cancels_within_s = 1.0
    cancels_for_s = math.inf  # So long a client insists on a cancellation.
    final: Container[grpc.StatusCode] = FINAL  # After these answers no client asks again.

    def __init__(self, world: World, dice: Dice) -> None:
        self._world = world
        self._dice = dice
        wishes = (self._wish(number, dice.named(f"order {number}")) for number in range(self.orders))
        self._wishes = [one for one in wishes if one.dice.keeps()]
        self._restocked: dict[str, int] = {}
        self._broken: list[Violation] = []

    def _wish(self, number: int, dice: Dice) -> Wish:
        request = orders_pb2.PlaceOrderRequest(
            order_id=f"ORD-{number}",
            sku=dice.choose(("plenty", "plenty", "scarce", "none")),
            quantity=1 + dice.below(3),
            amount_cents=dice.choose(_AMOUNTS) if dice.chance(0.3) else 100 + number,
            flow=dice.choose((ORCHESTRATION, CHOREOGRAPHY)),
            wait=dice.chance(0.4),
        )
        return Wish(request, dice, number, dice.chance(0.15), dice.chance(0.2), dice.chance(0.1))

    # --- acting ---

    async def run(self) -> None:
        start = self._world.ports.tasks.start
        running = [start(self._restock(sku, quantity), name=f"restock {sku}") for sku, quantity in self.stock.items()]
        clients = self.orders if self._dice.named("crowd").chance(_CROWD) else _CLIENTS
        for number in range(clients):
            mine = [wish for wish in self._wishes if wish.number % clients == number]
            running.append(start(self._client(mine), name=f"client {number}"))
        for task in running:
            await task

    async def _client(self, wishes: list[Wish]) -> None:
        start = self._world.ports.tasks.start
        for wish in wishes:
            beside = []
            if wish.again:
                beside.append(start(self._place(wish), name="place again"))
            if wish.cancelled:
                beside.append(start(self._cancel(wish), name="cancel"))
            await self._place(wish)
            if wish.contradicted:
                beside.append(start(self._contradict(wish), name="contradict"))
            for task in beside:
                await task
            await self._world.sleep(wish.dice.between(0.0, self.pause_s))

    async def _restock(self, sku: str, quantity: int) -> None:
        dice = self._dice.named(f"restock {sku}")
        for part in range(2 if quantity else 0):
            delivery = f"delivery {part}"  # One delivery brings several SKUs under one name.
            request = orders_pb2.RestockRequest(sku=sku, quantity=quantity // 2, request_id=delivery)
            await self._insist(dice, partial(_restock, request))
            self._restocked[sku] = self._restocked.get(sku, 0) + quantity // 2
            await self._world.sleep(dice.between(0.0, 3.0))

    async def _place(self, wish: Wish) -> None:
        order = await self._insist(wish.dice, lambda service, context: service.PlaceOrder(wish.request, context))
        if isinstance(order, CallFailed):
            self._report(f"{wish.request.order_id} was refused: {order}")
        else:
            wish.placed = True
            self._note_told(wish, order)

    async def _cancel(self, wish: Wish) -> None:
        dice = wish.dice.named("cancel")
        await self._world.sleep(dice.between(0.0, self.cancels_within_s))
        request = orders_pb2.CancelOrderRequest(order_id=wish.request.order_id, reason="changed my mind")
        order = await self._insist(
            dice, lambda service, context: service.CancelOrder(request, context), self.cancels_for_s
        )
        if isinstance(order, Order):
            self._note_told(wish, order)

    async def _contradict(self, wish: Wish) -> None:
        """Place the same id with another amount, once the order is placed."""
        other = orders_pb2.PlaceOrderRequest()
        other.CopyFrom(wish.request)
        other.amount_cents += 1
        answer = await self._insist(wish.dice, lambda service, context: service.PlaceOrder(other, context))
        # If the first answer was lost on its way, this one shows the order as it is, as a read would do.
        if isinstance(answer, Order) and answer.amount_cents == other.amount_cents:
            self._report(f"{other.order_id} was taken with two contents")

    async def _insist(
        self, dice: Dice, call: Callable[[OrderService, Context], Awaitable[_T]], patience_s: float = math.inf
    ) -> _T | CallFailed:
        """Ask one node after another until one answers, or patience ends."""
        nodes, clock = self._world.nodes, self._world.ports.clock
        until_s = clock.monotonic_s() + patience_s

        async def serve(node: Node) -> _T:
            return await call(OrderService(node.client), cast("Context", _Call()))

        while True:
            try:
                return await dice.choose(nodes).call(serve, timeout_s=_CALL_S)
            except CallFailed as error:
                if error.code in self.final:
                    return error
            except AmendsError:
                pass  # Whatever its outcome was, asking again does no harm.
            if clock.monotonic_s() > until_s:
                return CallFailed(grpc.StatusCode.DEADLINE_EXCEEDED, "nobody answers in time")
            await self._world.sleep(dice.between(0.02, 0.6))

    def _note_told(self, wish: Wish, order: Order) -> None:
        if order.status in _ENDED:
            wish.told[order.status] = None

    # --- checking ---

    def check(self) -> Iterator[Violation]:
        yield from self._broken
        ledger = self._world.ledger
        sold: dict[str, int] = {}
        states = {row.key: (OrderState.FromString(row.state), row.conversation) for row in ledger.rows_of("sales")}
        bills = {row.key: BillState.FromString(row.state) for row in ledger.rows_of("billing")}
        for wish in self._wishes:
            key = wish.request.order_id
            order, conversation = states.get(key, (OrderState(), b""))
            if order.status == UNKNOWN:  # A row may exist because somebody asked about the order.
                yield Violation("I1", f"{key} was placed, and is not there")
                continue
            for what in _mistakes(wish, order, bills.get(key, BillState())):
                yield Violation(*what, conversation)
            if order.status == READY_TO_SHIP:
                sold[order.line.sku] = sold.get(order.line.sku, 0) + order.line.quantity
        yield from self._check_stock(sold)

    def _check_stock(self, sold: dict[str, int]) -> Iterator[Violation]:
        for row in self._world.ledger.rows_of("warehouse"):
            stock = StockState.FromString(row.state)
            put_in = self._expected_stock(row.key, stock.restocked)
            if stock.restocked != put_in:
                yield Violation("I2", f"{row.key}: {stock.restocked} put in, not {put_in}")
            if stock.on_hand != stock.restocked - stock.labelled + stock.voided or stock.on_hand < 0:
                yield Violation("I3", f"{row.key}: units appeared or vanished: {stock}")
            if stock.labelled - stock.voided != sold.get(row.key, 0):
                out = stock.labelled - stock.voided
                yield Violation("I3", f"{row.key}: {out} units are out, {sold.get(row.key, 0)} are sold")

    def _expected_stock(self, sku: str, found: int) -> int:
        return self._restocked.get(sku, 0)

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """Excuse nothing: every order ends, and no message is ever given up."""
        return False

    def figures(self) -> dict[str, int]:
        states = [OrderState.FromString(row.state) for row in self._world.ledger.rows_of("sales")]
        sagas = [SagaRecord.FromString(row.state) for row in self._world.ledger.rows_of("order-process")]
        return {
            "started": len(states),
            "completed": sum(order.status == READY_TO_SHIP for order in states),
            "cancelled": sum(order.status == CANCELLED for order in states),
            "sagas compensated": sum(one.status == SagaRecord.COMPENSATED for one in sagas),
            "handled unposted": self._world.ledger.seen["UNPOSTED"],
            "handled together": self._world.ledger.seen["TOGETHER"],
        }

    def _report(self, what: str) -> None:
        self._broken.append(Violation("I11", what))


def _restock(
    request: orders_pb2.RestockRequest, service: OrderService, context: Context
) -> Awaitable[orders_pb2.Stock]:
    return service.Restock(request, context)


def _mistakes(wish: Wish, order: OrderState, bill: BillState) -> Iterator[tuple[str, str]]:
    """The invariant and a text for each mistake in one order at rest."""
    key = order.order_id
    if order.status not in _ENDED:
        yield "I4", f"{key} did not end: it is {OrderStatus.Name(order.status)}"
        return
    for status in wish.told:
        if status != order.status:
            yield "I11", f"{key} was said to be {OrderStatus.Name(status)}, and is {OrderStatus.Name(order.status)}"
    if bill.charges > 1 or bill.refunds > bill.charges:
        yield "I2", f"{key} was charged {bill.charges} times and refunded {bill.refunds} times"
    if order.status == READY_TO_SHIP and bill.status != BILLED:
        yield "I5", f"{key} is ready to ship, and nobody pays for it"
    if order.status == READY_TO_SHIP and order.label_id != label_id_of(key):
        yield "I5", f"{key} is ready to ship, with {order.label_id!r} for its label"
    if order.status == CANCELLED and bill.status == BILLED:
        yield "I5", f"{key} is cancelled, and {bill.amount_cents} cents stay charged"
    if order.amount_cents != wish.request.amount_cents or order.line.quantity != wish.request.quantity:
        yield "I8", f"{key} is not the order that was placed"
