"""Checks the books: does what the participants wrote down add up, for every order at once?

Read straight from the store, so no node has to run, and nothing that a node believes is taken on trust.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import Message

from protos.billing_pb2 import BILLED, REFUNDED, BillState, BillStatus
from protos.sales_pb2 import CANCELLED, ORCHESTRATION, READY_TO_SHIP, OrderState, OrderStatus
from protos.warehouse_pb2 import StockState
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.port import Store

__all__ = ["OrderBooks", "at_rest", "count_waiting", "mistakes", "read_books"]

State = TypeVar("State", bound=Message)

_PAGE = 500
_PROCESS_END = {READY_TO_SHIP: SagaRecord.COMPLETED, CANCELLED: SagaRecord.COMPENSATED}


@dataclass(frozen=True, slots=True)
class OrderBooks:
    """Everything that is written down about orders, by order id, and about stock, by SKU."""

    orders: dict[str, OrderState]
    bills: dict[str, BillState]
    processes: dict[str, SagaRecord]
    stock: dict[str, StockState]
    waiting: int  # messages on their way, delayed ones included
    dead_letters: tuple[str, ...]  # reasons


async def read_books(store: Store) -> OrderBooks:
    dead = await store.dead_letters(limit=_PAGE)
    return OrderBooks(
        orders={key: state async for key, state in _states(store, "sales", OrderState)},
        bills={key: state async for key, state in _states(store, "billing", BillState)},
        processes={key: state async for key, state in _states(store, "order-process", SagaRecord)},
        stock={key: state async for key, state in _states(store, "warehouse", StockState)},
        waiting=await count_waiting(store),
        dead_letters=tuple(f"{row.kind}/{row.key}: {row.parked}" for row in dead),
    )


def at_rest(books: OrderBooks) -> bool:
    """No message is on its way and every order has ended, so that nothing changes any more by itself."""
    return not books.waiting and all(order.status in _PROCESS_END for order in books.orders.values())


def mistakes(books: OrderBooks) -> list[str]:
    """What does not add up once all is at rest, a sentence each: money and goods, per order and in sum."""
    found = [f"a message was given up: {reason}" for reason in books.dead_letters]
    if books.waiting:
        found.append(f"{books.waiting} messages still wait")
    for order in books.orders.values():
        found.extend(f"order {order.order_id!r} {mistake}" for mistake in _mistakes_of_order(books, order))
    for stock in books.stock.values():
        found.extend(f"stock of {stock.sku!r} {mistake}" for mistake in _mistakes_of_stock(books, stock))
    known = books.orders.keys()
    found.extend(f"there is a bill for {key!r}, which nobody ordered" for key in books.bills if key not in known)
    return found


def _mistakes_of_order(books: OrderBooks, order: OrderState) -> Iterator[str]:
    if order.status not in _PROCESS_END:
        yield f"never ended: it is {OrderStatus.Name(order.status)}"
        return
    bill = books.bills.get(order.order_id, BillState())
    how = f"{OrderStatus.Name(order.status)} with a bill {BillStatus.Name(bill.status)}"
    money = f"{bill.charges} charges and {bill.refunds} refunds"
    if order.status == READY_TO_SHIP:
        if (bill.status, bill.charges, bill.refunds, bill.amount_cents) != (BILLED, 1, 0, order.amount_cents):
            yield f"is {how}, {money}, {bill.amount_cents} of {order.amount_cents} cents"
        if not order.label_id:
            yield "is ready to ship and has no label"
    elif bill.status == BILLED or bill.charges != bill.refunds or bill.charges != (bill.status == REFUNDED):
        yield f"is {how}, {money}"
    process = books.processes.get(order.order_id)
    if order.flow == ORCHESTRATION:
        if process is None or process.status != _PROCESS_END[order.status]:
            status = SagaRecord.Status.Name(process.status) if process is not None else "missing"
            yield f"is {OrderStatus.Name(order.status)} while its process is {status}"
    elif process is not None:
        yield "is choreographed and has a process as well: both styles drove it"


def _mistakes_of_stock(books: OrderBooks, stock: StockState) -> Iterator[str]:
    shipped = [
        order.line.quantity
        for order in books.orders.values()
        if order.status == READY_TO_SHIP and order.line.sku == stock.sku
    ]
    if stock.on_hand != stock.restocked - stock.labelled + stock.voided or stock.on_hand < 0:
        yield (
            f"is {stock.on_hand}, of {stock.restocked} put in, {stock.labelled} taken out and {stock.voided} put back"
        )
    if stock.labelled - stock.voided != sum(shipped):
        yield f"lost {stock.labelled - stock.voided} units to labels, while {sum(shipped)} are ready to ship"
    if stock.labels - stock.labels_voided != len(shipped):
        yield f"has {stock.labels - stock.labels_voided} labels for {len(shipped)} orders that are ready to ship"


async def _states(store: Store, kind: str, state_type: type[State]) -> AsyncIterator[tuple[str, State]]:
    after = ""
    while rows := await store.actors(kind, limit=_PAGE, after=after):
        for row in rows:
            yield row.key, state_type.FromString(row.state)
        after = rows[-1].key


async def count_waiting(store: Store) -> int:
    """Messages that are not handled yet, up to a page for each kind."""
    shards: dict[str, list[int]] = {}
    for row in (await store.cluster()).shards:
        shards.setdefault(row.kind, []).append(row.shard)
    forever_s = await store.now_s() + 1e9
    waiting = 0
    for kind, numbers in shards.items():
        rows = await store.waiting(kind, numbers, due_before_s=forever_s, sent_before_s=forever_s, limit=_PAGE)
        waiting += len(rows)
    return waiting
