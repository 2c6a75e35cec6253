"""Whole nodes send the spans of an order to a real collector, and end in time when that is gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from actors.catalogue import catalogue
from actors.gateway import register
from protos import orders_pb2
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.durable.traces.place import span_of
from runtime.host import Node
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
