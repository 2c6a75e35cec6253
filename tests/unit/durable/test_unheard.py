"""An event that nobody listens to is told of: once in the log, and each time in the conversation."""

from __future__ import annotations

from protos.billing_pb2 import BillOrder
from runtime.admin.tables import conversation_view
from runtime.durable.kind import NobodyListens, Subscribers
from runtime.observe.conversation import read_conversation
from runtime.observe.sequence import as_object, as_text
from runtime.protos import durable_pb2
from runtime.store.records import ClusterView, Subscription
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.till import CONVERSATION, Post, Till


def test_an_event_that_nobody_listens_to_is_kept_with_what_came_of_its_message() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        post = Post(local)
        for amount in (1, 2):
            await post.send(post.bill(amount))
            await local.sleep(0.1)
        history = await local.store.conversation(CONVERSATION)
        told = [list(durable_pb2.CausedList.FromString(row.caused).unheard) for row in history]
        assert told == [["shop.OrderBilled"], ["shop.OrderBilled"]]
        assert local.facts_of(NobodyListens) == [NobodyListens("billing/ORD-1", "shop.OrderBilled", "")]
        conversation = await read_conversation(local.store, CONVERSATION)
        assert all(line.endswith("(nobody listens: OrderBilled)") for line in as_text(conversation).splitlines())
        assert "'unheard': ['shop.OrderBilled']" in str(as_object(conversation))
        head = conversation_view(conversation).renderables[0]  # type: ignore[union-attr]
        assert str(head).endswith("at rest: every message was handled; nobody listens to shop.OrderBilled")
        await local.stop()

    in_virtual_time(scenario)


def test_what_a_client_waits_for_is_heard() -> None:
    async def scenario() -> None:
        local = await LocalNode([Till()]).start()
        await local.send(BillOrder(order_id="ORD-1", amount_cents=1))
        assert local.facts_of(NobodyListens) == []
        await local.stop()

    in_virtual_time(scenario)


def test_what_ends_a_process_as_declared_need_not_be_heard_there() -> None:
    subscribers = Subscribers([], [("order-choreography", "shop.OrderBilled")])
    assert subscribers.is_end("shop.OrderBilled", "order-choreography")
    assert not subscribers.is_end("shop.OrderBilled", "order-process")
    assert not subscribers.is_end("shop.OrderBilled", "")
    assert subscribers.is_end("amends.RetryAccepted", "order-process")  # an operator reads it in the conversation
    wanted = Subscription("shop.OrderBilled", "audit", "audit", "order_id")
    subscribers.learn(ClusterView(now_s=0.0, subscriptions=(wanted,)))
    assert subscribers.is_end("shop.OrderBilled", "order-choreography")
