"""Whole nodes send the spans of an order to a real collector, and end in time when that is gone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from actors.catalogue import catalogue
from actors.gateway import register
from protos import billing_pb2, orders_pb2, sales_pb2
from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.durable.behaviour import RetryPolicy
from runtime.durable.service import Service
from runtime.durable.traces.place import span_of
from runtime.host import Node
from runtime.saga.catalogue import Catalogue
from tests.cluster.collector import CollectedSpan, Collector, collecting
from tests.cluster.test_nodes_in_one_loop import ALL, client, running

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"  # the traceparent of a client


def traced(folder: Path, endpoint: str, name: str, *services: str) -> Node:
    settings = Settings(
        services=services,
        store=f"sqlite:///{folder}/cluster.db",
        listen="127.0.0.1:0",
        name=name,
        drain_s=5.0,
        trace_endpoint=endpoint,
    )
    return Node(settings, catalogue(), system_ports(), register=[register])


async def collected(folder: Path, flow: Flow.ValueType, *, in_stock: int) -> tuple[Collector, orders_pb2.Order]:
    """What one order leaves at the collector, with a node for each service."""
    async with collecting() as collector:
        nodes = [traced(folder, collector.endpoint, name, name) for name in ALL]
        async with running(*nodes), client(nodes[0]) as stub:
            if in_stock:
                await stub.Restock(orders_pb2.RestockRequest(sku="lamp", quantity=in_stock), timeout=20)
            request = orders_pb2.PlaceOrderRequest(
                order_id="ORD-1", sku="lamp", quantity=1, amount_cents=100, flow=flow, wait=True
            )
            order = await stub.PlaceOrder(request, timeout=30, metadata=(("traceparent", CALLER),))
        return collector, order


class ForgetfulTill(Service[BillState], kind="billing", retries=RetryPolicy(immediate=0, delays=(0.1,))):
    """It bills twice, the second time by a timer, whose first run fails."""

    runs = 0

    async def bill(self, command: BillOrder) -> OrderBilled:
        if command.amount_cents == 1:
            self.set_timer("again", 0.1, BillOrder(order_id=self.key, amount_cents=2))
        else:
            type(self).runs += 1
            if type(self).runs == 1:
                raise ValueError("the drawer is jammed at ORD-1")
        self.state.charges += 1
        return OrderBilled(order_id=self.key)


def of_order(collector: Collector) -> list[CollectedSpan]:
    (first,) = collector.of("PlaceOrder")
    conversation = first.attributes["amends.conversation_id"]
    return [one for one in collector.spans if one.attributes["amends.conversation_id"] == conversation]


@pytest.mark.parametrize("flow", [ORCHESTRATION, CHOREOGRAPHY])
async def test_the_spans_of_one_order_are_one_tree_under_the_name_of_its_conversation(
    tmp_path: Path, flow: Flow.ValueType
) -> None:
    collector, order = await collected(tmp_path, flow, in_stock=1)
    assert order.status == READY_TO_SHIP
    spans = of_order(collector)
    conversation = str(spans[0].attributes["amends.conversation_id"])
    assert {one.span.trace_id.hex() for one in spans} == {conversation}
    (root,) = [one for one in spans if not one.span.parent_span_id]
    assert root.span.name == "sales PlaceOrder"
    (link,) = root.span.links
    assert f"00-{link.trace_id.hex()}-{link.span_id.hex()}-01" == CALLER
    ids = [one.span.span_id for one in spans]
    assert len(set(ids)) == len(ids), "nothing is told twice"
    assert {one.span.parent_span_id for one in spans} <= {b"", *ids}, "each parent is there"
    services = {"sales", "billing", "warehouse"} | ({"order-process"} if flow == ORCHESTRATION else set())
    assert {one.service for one in spans} == services
    assert {one.node.partition("@")[0] for one in spans} == set(ALL if flow == ORCHESTRATION else ALL[:3])
    for one in spans:
        assert one.span.span_id == span_of(bytes.fromhex(str(one.attributes["amends.message_id"])))
        assert 0 < one.span.start_time_unix_nano <= one.span.end_time_unix_nano
        assert one.attributes["amends.outcome"] == "handled" and one.attributes["amends.attempt"] == 1
    assert b"ORD-1" not in collector.raw and b"lamp" not in collector.raw, "no key, and nothing of what was said"


async def test_what_is_undone_is_in_the_trace_of_the_order_and_names_what_it_undoes(tmp_path: Path) -> None:
    collector, order = await collected(tmp_path, ORCHESTRATION, in_stock=0)
    assert order.status == CANCELLED
    (bill,), (refund,) = collector.of("BillOrder"), collector.of("RefundOrder")
    assert refund.attributes["amends.undo_of"] == bill.attributes["amends.message_id"]
    assert refund.span.trace_id == bill.span.trace_id
    (refused,) = [one for one in collector.of("BackOrdered") if one.service == "order-process"]
    assert refund.span.parent_span_id == refused.span.span_id, "the answer that made the saga turn back has sent it"
    assert refund.attributes["amends.outcome"] == "handled"


async def test_a_timer_and_its_retry_begin_traces_of_their_own_with_a_link_to_the_span_that_set_it() -> None:
    async with collecting() as collector:
        settings = Settings(store="memory:", listen="127.0.0.1:0", name="till", trace_endpoint=collector.endpoint)
        till = Catalogue(contracts=[sales_pb2, billing_pb2], services={"billing": [ForgetfulTill]})
        node = Node(settings, till, system_ports())
        async with running(node), node.client.watch("billing", "ORD-1") as states:
            await node.client.ask(BillOrder(order_id="ORD-1", amount_cents=1))
            async with asyncio.timeout(20):
                async for bill in states:
                    if BillState.FromString(bill.state.SerializeToString()).charges == 2:
                        break
    first, failed, fired = sorted(collector.spans, key=lambda one: one.span.start_time_unix_nano)
    assert [one.attributes["amends.outcome"] for one in (first, failed, fired)] == ["handled", "faulted", "fired"]
    assert [one.span.status.code == Status.STATUS_CODE_ERROR for one in (first, failed, fired)] == [False, True, False]
    assert len({one.span.trace_id for one in (first, failed, fired)}) == 3
    assert len({one.attributes["amends.conversation_id"] for one in (first, failed, fired)}) == 1
    for one in (failed, fired):
        (link,) = one.span.links
        assert (link.trace_id, link.span_id) == (first.span.trace_id, first.span.span_id)
        assert not one.span.parent_span_id and one.span.trace_id[:10] == first.span.trace_id[:10]
    assert b"ORD-1" not in collector.raw, "nor what an error says"
