"""Metrics of clients' calls: what came of them, how long they took, and the streams that carry them."""

from __future__ import annotations

import asyncio

import grpc
import grpc.aio
import pytest

from protos import billing_pb2
from protos.billing_pb2 import BillOrder
from runtime import connect
from runtime.errors import InvalidMessage
from runtime.gateway.interceptors import CallServed, CallUnreadable
from runtime.gateway.monitor.call_metrics import CallCounts
from runtime.gateway.monitor.fact_counts import FactCounts
from runtime.ports import Fact
from tests.unit.gateway.monitor.test_on_node import watched

_ASK, _READ = "/amends.Client/Ask", "/amends.Client/Read"


def bill(number: int) -> BillOrder:
    return BillOrder(order_id=f"ORD-{number}", amount_cents=100)


async def test_calls_are_counted_by_method_and_code_whether_they_come_by_stream_or_alone() -> None:
    async with watched() as one:
        assert await one.metric("amends_calls_total", method=_ASK) is None
        async with connect(one.node.address, contracts=[billing_pb2]) as client:
            await asyncio.gather(*(client.ask(bill(number)) for number in range(5)))
            await client.read("billing", "ORD-1")
            with pytest.raises(InvalidMessage, match="no-such-kind"):
                await client.ask(bill(1), kind="no-such-kind")
            assert await one.metric("amends_call_streams") == 1.0
        assert await one.metric("amends_calls_total", method=_ASK, code="OK") == 5.0
        assert await one.metric("amends_calls_total", method=_ASK, code="INVALID_ARGUMENT") == 1.0
        assert await one.metric("amends_calls_total", method=_READ, code="OK") == 1.0
        assert await one.metric("amends_call_seconds_count", method=_ASK) == 6.0
        assert await one.metric("amends_call_seconds_bucket", method=_ASK, le="+Inf") == 6.0
        while await one.metric("amends_call_streams") != 0.0:
            await asyncio.sleep(0.02)


async def test_a_method_that_is_not_served_is_no_metric() -> None:
    async with watched() as one:
        async with grpc.aio.insecure_channel(one.node.address) as channel:
            read: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_READ)
            await read(b"")
            for method in ("/amends.Client/Nothing", "/nobody.Knows/This"):
                call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(b"")
        text = (await one.get("/metrics")).text
    methods = {line.split('method="')[1].split('"')[0] for line in text.splitlines() if "amends_calls_total{" in line}
    assert methods == {_READ}


def test_a_body_that_cannot_be_read_counts_as_a_call_and_any_other_fact_does_not() -> None:
    passed: list[Fact] = []
    counts = FactCounts(passed.append)
    for fact in (CallServed("/a/B", "OK", 0.5), CallUnreadable("/a/B", "INVALID_ARGUMENT", 0.25), Fact()):
        counts.report(fact)
    assert counts.calls.ended == {("/a/B", "OK"): 1, ("/a/B", "INVALID_ARGUMENT"): 1}
    assert counts.calls.took_s["/a/B"].total == 0.75
    assert len(passed) == 3 and CallCounts().ended == {}
