"""A kind of actor for tests of chains: told by the amount of a bill what to send on, when to fail, and when to wait."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, BillState
from runtime.durable.behaviour import Decision, Delivery, Outgoing, RetryPolicy, SetTimer
from runtime.store.records import Subscription

__all__ = ["ChainLink", "to"]

_RETRIES = RetryPolicy(immediate=0, delays=(5.0, 5.0, 5.0), jitter=0.0)


def to(kind: str, amount: int, key: str = "K", *, undo_of: bytes = b"", due_at_s: float = 0.0) -> Outgoing:
    """A bill for an actor, whatever its kind is."""
    return Outgoing(BillOrder(order_id=key, amount_cents=amount), kind, key, undo_of=undo_of, due_at_s=due_at_s)


@dataclass
class ChainLink:
    """All behave the same, and note the amounts that they were sent in their state."""

    kind: str
    runs_in_chains: bool = True
    sends: dict[int, tuple[Outgoing, ...]] = field(default_factory=dict)
    fails: dict[int, int] = field(default_factory=dict)  # amounts that fail so many times
    waits: dict[int, asyncio.Event] = field(default_factory=dict)
    timers: dict[int, SetTimer] = field(default_factory=dict)
    runs: list[int] = field(default_factory=list)
    process: str = ""
    state_type: type[Message] = BillState
    retries: RetryPolicy = _RETRIES
    subscriptions: tuple[Subscription, ...] = ()
    accepts: frozenset[str] = frozenset(("shop.BillOrder",))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        assert isinstance(state, BillState)
        assert isinstance(delivery.message, BillOrder)
        amount = delivery.message.amount_cents
        self.runs.append(amount)
        state.reason += f"{amount} "
        if self.fails.get(amount, 0) > 0:
            self.fails[amount] -= 1
            raise RuntimeError("it is jammed")
        if amount in self.waits:
            await self.waits[amount].wait()
        timer = self.timers.get(amount)
        return Decision(self.sends.get(amount, ()), () if timer is None else (timer,))
