"""What only a person can help with is reported, once, and after it is in the store."""

from __future__ import annotations

from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, BillState
from runtime.durable.behaviour import Decision, Delivery, RetryPolicy
from runtime.durable.residence.release import ActorNeedsHelp
from runtime.store.records import Subscription
from tests.unit.durable.local import LocalNode, in_virtual_time


class NeedsHelp:
    """Asks for help when a bill is of 1 cent."""

    kind = "billing"
    process = ""
    state_type: type[Message] = BillState
    retries = RetryPolicy()
    subscriptions: tuple[Subscription, ...] = ()
    accepts = frozenset(("shop.BillOrder",))

    async def handle(self, state: Message, delivery: Delivery) -> Decision:
        assert isinstance(state, BillState) and isinstance(delivery.message, BillOrder)
        state.charges += 1
        return Decision(alarm="stuck at the till" if delivery.message.amount_cents == 1 else "")


def test_s72_an_actor_that_needs_help_raises_an_alert_after_its_commit() -> None:
    async def scenario() -> None:
        local = await LocalNode([NeedsHelp()]).start()
        await local.send(BillOrder(order_id="ORD-1", amount_cents=2))
        assert local.facts_of(ActorNeedsHelp) == []
        await local.send(BillOrder(order_id="ORD-1", amount_cents=1))
        row = await local.row("billing", "ORD-1")
        told = ActorNeedsHelp("billing/ORD-1", "stuck at the till", row.conversation.hex(), "")
        assert local.facts_of(ActorNeedsHelp) == [told]
        assert BillState.FromString(row.state).charges == 2
        await local.stop()

    in_virtual_time(scenario)
