"""A till that notes amounts in the order they came, and can be told to fail, to hang and to misbehave."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from protos import billing_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, RefundOrder
from protos.sales_pb2 import OrderLine
from runtime.durable.behaviour import Decision, Delivery, Outgoing, RetryPolicy, SetTimer
from runtime.envelope import Envelope, message_id, shard_of
from runtime.protos.durable_pb2 import ProbeCommands
from runtime.store.records import MailRow, Subscription, Transition, Verdict
from tests.unit.durable.local import LocalNode

CONVERSATION = b"k" * 16
_RETRIES = RetryPolicy(immediate=0, delays=(5.0, 30.0), jitter=0.0)


@dataclass
class Till:
    """A behaviour, told what to do by the SKU of the order line."""

    broken: set[int] = field(default_factory=set)  # amounts that fail
    hangs: dict[int, asyncio.Event] = field(default_factory=dict)  # amounts that wait for an event
    errors: dict[int, BaseException] = field(default_factory=dict)  # amounts that raise just this
    timers: dict[int, SetTimer] = field(default_factory=dict)  # amounts that set a timer
    sends: dict[int, Outgoing] = field(default_factory=dict)  # amounts that send this, in place of OrderBilled
    undos_fail: int = 0  # the first so many
    undos_failed: int = 0
    ends: bool = False
    runs: list[int] = field(default_factory=list)
    kind: str = "billing"
    state_type: type[Message] = BillState
    process: str = ""
    retries: RetryPolicy = _RETRIES
    subscriptions: tuple[Subscription, ...] = ()
    accepts: frozenset[str] = frozenset(("shop.BillOrder", "shop.RefundOrder"))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        assert isinstance(state, BillState)
        if isinstance(delivery.message, RefundOrder):
            if self.undos_failed < self.undos_fail:
                self.undos_failed += 1
                raise RuntimeError("the till is jammed")
            state.refunds += 1
            state.reason += "undo "
            return Decision((Outgoing(OrderRefunded(order_id=state.order_id)),))
        assert isinstance(delivery.message, BillOrder)
        amount = delivery.message.amount_cents
        self.runs.append(amount)
        state.charges += 1
        state.reason += f"{amount} "
        if amount in self.hangs:
            await self.hangs[amount].wait()
        if amount in self.errors:
            raise self.errors[amount]
        if amount in self.broken:
            raise RuntimeError("the till is jammed")
        event = Outgoing(OrderBilled(order_id=delivery.envelope.key, amount_cents=amount))
        timer = self.timers.get(amount)
        return Decision((self.sends.get(amount, event),), () if timer is None else (timer,), ended=self.ends)


class Post:
    """Mail for one actor, numbered in the order it is sent."""

    def __init__(self, local: LocalNode, key: str = "ORD-1") -> None:
        self.local = local
        self.key = key
        self.shard = shard_of(key, local.limits.shards_per_kind)
        self._number = 0

    def bill(self, amount: int, *, sku: str = "", **headers: Any) -> Envelope:
        line = OrderLine(sku=sku)
        return self._envelope(BillOrder(order_id=self.key, amount_cents=amount, line=line), headers)

    def refund(self, of: Envelope, **headers: Any) -> Envelope:
        return self._envelope(RefundOrder(order_id=self.key), {"undo_of": of.id, **headers})

    def probe(self, *of: Envelope, **headers: Any) -> Envelope:
        return self._envelope(ProbeCommands(commands=[one.id for one in of]), {"reply_to": of[0].reply_to, **headers})

    def _envelope(self, message: Message, headers: dict[str, Any]) -> Envelope:
        self._number += 1
        now_s = self.local.ports.clock.now_s()
        fields: dict[str, Any] = {
            "id": message_id(now_s, b"post", self._number, self.key),
            "kind": "billing",
            "key": self.key,
            "type": message.DESCRIPTOR.full_name,
            "body": message.SerializeToString(),
            "conversation": CONVERSATION,
            "sender": "tests/x",
            "sequence": self._number,
            "sent_at_s": now_s,
            **headers,
        }
        return Envelope(**fields)

    async def store(self, *envelopes: Envelope) -> None:
        """Into the mail, and no push."""
        rows = tuple(MailRow.of(one, self.shard) for one in envelopes)
        assert await self.local.store.commit([Transition(mail=rows)]) == [Verdict.COMMITTED]

    async def push(self, *envelopes: Envelope, missed_pushes: bool = False) -> None:
        """A push without the mail, as it comes from a peer."""
        await self.local.router.on_pushes("peer", [one.encoded for one in envelopes], missed_pushes)

    async def send(self, *envelopes: Envelope) -> None:
        await self.store(*envelopes)
        await self.push(*envelopes)

    async def state(self) -> billing_pb2.BillState:
        return BillState.FromString((await self.local.row("billing", self.key)).state)

    async def order(self) -> list[str]:
        return (await self.state()).reason.split()
