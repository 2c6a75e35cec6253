"""A small service for tests of turns: a bill that can be told to fail, and what a turn needs around it."""

from __future__ import annotations

import math
from typing import Any

from protos import billing_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from runtime.adapters import system_ports
from runtime.contracts import Contracts
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.carriers import Carriers
from runtime.durable.kind import Kind, Limits, Subscribers
from runtime.durable.service import Service
from runtime.durable.service_behaviour import ServiceBehaviour
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.turn import Turn
from runtime.envelope import Envelope, message_id
from runtime.errors import FinalError
from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.store.records import MailRow, Subscription, Transition, Verdict


class HandlerLedger(Service[BillState], kind="billing", retries=RetryPolicy(immediate=1, delays=(5.0,), jitter=0.0)):
    """Bills; `broken` and `final` as a reason make it fail after it has changed its state."""

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        self.state.charges += 1
        self.state.order_id = command.order_id
        if command.line.sku == "broken":
            raise RuntimeError("the card terminal is on fire")
        if command.line.sku == "final":
            raise FinalError("this can never work")
        if command.line.sku == "declined":
            return PaymentDeclined(order_id=command.order_id)
        if command.line.sku == "timer":
            self.set_timer("remind", 60.0, BillOrder(order_id=command.order_id))
        return OrderBilled(order_id=command.order_id, amount_cents=command.amount_cents)

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        self.state.refunds += 1
        self.state.reason = "of a bill that failed" if self.do_failed else "of a bill"
        return OrderRefunded(order_id=command.order_id)


class LedgerBench:
    """One kind on a memory store, driven turn by turn without actors."""

    def __init__(
        self,
        store: MemoryStore,
        ports: Ports,
        subscriptions: tuple[Subscription, ...] = (),
        service: type[Service[BillState]] = HandlerLedger,
    ) -> None:
        self.store = store
        self.kind = Kind(
            ServiceBehaviour(service),
            Contracts([billing_pb2, sales_pb2]),
            Subscribers(subscriptions),
            store,
            ports,
            Limits(turn_s=math.inf),  # No turn of these tests ends early because the machine has stalled.
            "node@1",
            Carriers("node"),
        )

    @classmethod
    async def open(cls, *subscriptions: Subscription, service: type[Service[BillState]] = HandlerLedger) -> LedgerBench:
        ports = system_ports()
        store = MemoryStore(ports)
        await store.open()
        return cls(store, ports, subscriptions, service)

    async def post(self, *envelopes: Envelope) -> None:
        mail = tuple(MailRow.of(one, 0) for one in envelopes)
        assert await self.store.commit([Transition(mail=mail)]) == [Verdict.COMMITTED]

    async def set_free(self, letter: Envelope) -> None:
        """As an operator does who replays it."""
        free = MailRow.of(letter, 0, attempts=1)
        transition = Transition(address=letter.address, shard=0, rescheduled=(free,))
        assert await self.store.commit([transition]) == [Verdict.COMMITTED]

    async def turn(self, *envelopes: Envelope, attempts: dict[bytes, int] | None = None) -> Turn:
        """Run a turn over these messages on the state that is stored."""
        (row,) = await self.store.load([envelopes[0].address])
        state = BillState()
        if row is not None:
            state.MergeFromString(row.state)
        timers: dict[str, Any] = {}
        draft = Draft(self.kind, envelopes[0].address, 0, row, timers, self.kind.ports.clock.now_s())
        turn = Turn(draft, state, attempts or {})
        await turn.run(envelopes)
        return turn

    async def commit(self, turn: Turn) -> Verdict:
        (verdict,) = await self.store.commit([turn.draft.finish()])
        return verdict

    async def run(self, *envelopes: Envelope) -> Turn:
        """Post, run, commit."""
        await self.post(*envelopes)
        turn = await self.turn(*envelopes)
        assert await self.commit(turn) is Verdict.COMMITTED
        return turn


def bill(number: int = 1, *, sku: str = "", **headers: Any) -> Envelope:
    return _envelope(number, BillOrder(order_id="ORD-1", amount_cents=100, line=sales_pb2.OrderLine(sku=sku)), headers)


def refund(number: int, *, of: Envelope, **headers: Any) -> Envelope:
    return _envelope(number, RefundOrder(order_id="ORD-1"), {"undo_of": of.id, **headers})


def _envelope(number: int, message: BillOrder | RefundOrder, headers: dict[str, Any]) -> Envelope:
    now_s = system_ports().clock.now_s()
    fields: dict[str, Any] = {
        "id": message_id(now_s, b"", number, "billing/ORD-1"),
        "kind": "billing",
        "key": "ORD-1",
        "type": message.DESCRIPTOR.full_name,
        "body": message.SerializeToString(),
        "conversation": b"c" * 16,
        "sent_at_s": now_s + number / 1000,
        "sequence": number,
        **headers,
    }
    return Envelope(**fields)
