"""A body that is no message is the client's mistake on every method: a plain refusal and one line, no traceback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import aio as health

from protos import orders_pb2_grpc
from protos.orders_pb2 import GetOrderRequest, Order
from runtime.adapters import system_ports
from runtime.gateway.interceptors import CallBroken, CallServed, CallUnreadable, EdgeInterceptor
from runtime.ports import Fact

_BAD = [b"\xff\xff\xff", b"\x0a\x05cut", b"\x0a\x02\xc3\x28", b"\x00"]  # no tag, cut short, no UTF-8, field 0
_GOOD = GetOrderRequest(order_id="ORD-1").SerializeToString()


class _Orders(orders_pb2_grpc.OrderServiceServicer):
    """Every method of the generated base; the one that is there answers with what is no message."""

    async def GetOrder(self, request: GetOrderRequest, context: Any) -> Any:  # noqa: N802 - named by orders.proto
        return request.order_id


class _Streams(grpc.GenericRpcHandler):
    """Methods that take streams, as a deployment may have them."""

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        coders = (GetOrderRequest.FromString, Order.SerializeToString)
        return {
            "/shop.Streams/Gather": grpc.stream_unary_rpc_method_handler(self._gather, *coders),
            "/shop.Streams/Read": grpc.stream_unary_rpc_method_handler(self._read, *coders),
            "/shop.Streams/Echo": grpc.stream_stream_rpc_method_handler(self._echo, *coders),
        }.get(handler_call_details.method)

    async def _gather(self, requests: AsyncIterator[GetOrderRequest], context: Any) -> Order:
        return Order(order_id=" ".join([request.order_id async for request in requests]))

    async def _read(self, requests: object, context: Any) -> Order:
        ids = []
        while (request := await context.read()) is not grpc.aio.EOF:
            ids.append(request.order_id)
        return Order(order_id=" ".join(ids))

    async def _echo(self, requests: AsyncIterator[GetOrderRequest], context: Any) -> AsyncIterator[Order]:
        async for request in requests:
            yield Order(order_id=request.order_id)


@asynccontextmanager
async def _serving(facts: list[Fact]) -> AsyncIterator[Any]:
    server = grpc.aio.server(interceptors=[EdgeInterceptor(system_ports(facts.append))])
    orders_pb2_grpc.add_OrderServiceServicer_to_server(_Orders(), server)  # type: ignore[abstract]  # as in the stubs
    server.add_generic_rpc_handlers((_Streams(),))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


async def _ask(channel: Any, method: str, bodies: Sequence[bytes]) -> list[bytes]:
    if method in ("/shop.Streams/Gather", "/shop.Streams/Read"):
        return [await channel.stream_unary(method)(iter(bodies))]
    if method == "/shop.Streams/Echo":
        return [one async for one in channel.stream_stream(method)(iter(bodies))]
    if "Watch" in method:
        return [one async for one in channel.unary_stream(method)(bodies[-1])]
    return [await channel.unary_unary(method)(bodies[-1])]


_ORDERS = [f"/shop.OrderService/{name}" for name in ("PlaceOrder", "GetOrder", "CancelOrder", "WatchOrder", "GetStock")]
_HEALTH = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"]
_STREAMS = ["/shop.Streams/Gather", "/shop.Streams/Read", "/shop.Streams/Echo"]


@pytest.mark.parametrize("body", _BAD)
@pytest.mark.parametrize("method", [*_ORDERS, *_HEALTH, *_STREAMS])
async def test_a_body_that_is_no_message_is_refused_in_plain_words_and_one_line(
    method: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    facts: list[Fact] = []
    async with _serving(facts) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _ask(channel, method, [_GOOD, body])
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    told = str(caught.value.details())
    assert method in told and f"the {len(body)} bytes of the request" in told
    assert not any(word in told for word in ("Error", "Exception", "google", "parsing"))
    assert [type(fact) for fact in facts] == [CallUnreadable]
    assert [record for record in caplog.records if record.name.startswith("grpc")] == []


@pytest.mark.parametrize("method", _STREAMS)
async def test_streams_of_requests_are_read_as_before(method: str) -> None:
    facts: list[Fact] = []
    async with _serving(facts) as channel:
        answers = await _ask(channel, method, [_GOOD, _GOOD])
    assert " ".join(Order.FromString(one).order_id for one in answers) == "ORD-1 ORD-1"
    assert [(type(fact), fact.code) for fact in facts if isinstance(fact, CallServed)] == [(CallServed, "OK")]


async def test_an_answer_that_is_no_message_of_the_method_is_a_bug_like_any_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    facts: list[Fact] = []
    async with _serving(facts) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _ask(channel, "/shop.OrderService/GetOrder", [_GOOD])
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    assert str(caught.value.details()).startswith("internal error (in the node's log under ")
    assert [type(fact) for fact in facts] == [CallBroken, CallServed]
    assert [record for record in caplog.records if record.name.startswith("grpc")] == []
