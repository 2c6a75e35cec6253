"""Rows of a small cluster, as the tests of the operator's view need them."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from protos import sales_pb2
from runtime.envelope import Envelope
from runtime.protos import durable_pb2, saga_pb2
from runtime.saga.summary import summary_of
from runtime.store.port import Store
from runtime.store.records import ActorRow, Expected, HistoryRow, MailRow, NodeRow, Outcome, Transition

AnyStore = TypeVar("AnyStore", bound=Store)

TALK = b"T" * 16
SAGA = saga_pb2.SagaRecord


def id_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def actor(
    kind: str,
    key: str = "ORD-1",
    *,
    state_type: str = "shop.OrderState",
    state: bytes = b"",
    timers: durable_pb2.Timers | None = None,
    conversation: bytes = TALK,
) -> ActorRow:
    due_at_s = min((timer.due_at_s for timer in timers.timers), default=None) if timers else None
    packed = timers.SerializeToString() if timers else b""
    return ActorRow(kind, key, 3, 2, id_of(1), conversation, state_type, state, packed, due_at_s, 100.0)


def order(status: sales_pb2.OrderStatus.ValueType = sales_pb2.PENDING) -> bytes:
    return sales_pb2.OrderState(order_id="ORD-1", status=status).SerializeToString()


def saga(
    key: str = "ORD-1",
    *,
    status: saga_pb2.SagaRecord.Status.ValueType = SAGA.RUNNING,
    tasks: tuple[saga_pb2.TaskRecord, ...] = (),
    progress_at_s: float = 100.0,
    stuck_reason: str = "",
    kind: str = "order-process",
    version: bytes = b"",
) -> ActorRow:
    record = SAGA(
        fingerprint=version,
        definition="order-process",
        status=status,
        tasks=tasks,
        state_type="shop.OrderProcessState",
        last_progress_at_s=progress_at_s,
        stuck_reason=stuck_reason,
    )
    return row_of(record, key, kind=kind)


def row_of(record: saga_pb2.SagaRecord, key: str = "ORD-1", *, kind: str = "order-process") -> ActorRow:
    """The row of a saga, which tells what its record says."""
    row = actor(kind, key, state_type="amends.SagaRecord", state=record.SerializeToString())
    return replace(row, summary=summary_of(record, None))


def mail(
    number: int,
    *,
    kind: str = "billing",
    attempts: int = 0,
    parked: str = "",
    due_at_s: float = 0.0,
    sender: str = "sales/ORD-1",
    reply_to: str = "",
) -> MailRow:
    envelope = Envelope(
        id=id_of(number),
        kind=kind,
        key="ORD-1",
        type="shop.BillOrder",
        body=b"",
        conversation=TALK,
        cause=id_of(1),
        sender=sender,
        reply_to=reply_to,
    )
    return MailRow(
        kind,
        "ORD-1",
        3,
        id_of(number),
        TALK,
        99.0,
        number % 1000,
        due_at_s,
        attempts,
        parked,
        99.5 if parked else 0.0,
        envelope.encoded,
    )


def history(number: int, *, kind: str = "sales", caused: tuple[int, ...] = ()) -> HistoryRow:
    sent = durable_pb2.CausedList(
        caused=[durable_pb2.Caused(id=id_of(one), address="billing/ORD-1", type="shop.BillOrder") for one in caused]
    )
    return HistoryRow(
        TALK,
        id_of(number),
        kind,
        "ORD-1",
        3,
        1,
        98.5,
        Outcome.HANDLED,
        1,
        "sales-1@abc",
        "",
        "shop.PlaceOrder",
        "",
        b"",
        98.0,
        sent.SerializeToString(),
    )


async def fill(store: AnyStore, *rows: ActorRow | MailRow | HistoryRow) -> AnyStore:
    """Put rows into a store as they are."""
    for row in rows:
        match row:
            case ActorRow():
                await store.commit([Transition(actor=row, expected=Expected(0, b""))])
            case MailRow():
                await store.commit([Transition(mail=(row,))])
            case HistoryRow():
                await store.commit([Transition(address=(row.kind, row.key), history=(row,))])
    return store


async def join(
    store: Store, name: str, *, kinds: tuple[str, ...], lease_s: float = 60.0, carries: tuple[str, ...] = ()
) -> None:
    """A node with a lease that owns shard 3 of its kinds."""
    await store.join(NodeRow(name, "abc", "127.0.0.1:7650", kinds, "0.1.0", carries=carries), lease_s=lease_s)
    for kind in kinds:
        await store.assign(kind, 3, owner=name, expected_epoch=0)
