"""At the edge, errors become codes that tell a client what to do, and bugs become ids that lead to the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from protos import orders_pb2, orders_pb2_grpc
from protos.orders_pb2 import GetOrderRequest, Order, WatchOrderRequest
from runtime import errors
from runtime.adapters import system_ports
from runtime.gateway.interceptors import (
    CALL_DEFAULT_S,
    CallBroken,
    CallFailed,
    CallServed,
    EdgeInterceptor,
    code_of,
    time_left_s,
    traceparent,
)
from runtime.ports import Fact

Code = grpc.StatusCode
Serve = Callable[[Any], Order]


class _Service(orders_pb2_grpc.OrderServiceServicer):
    """Two methods; the others stay as they are in the generated base."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve

    async def GetOrder(self, request: GetOrderRequest, context: Any) -> Order:  # noqa: N802 - named by orders.proto
        return self._serve(context)

    async def WatchOrder(  # noqa: N802 - named by orders.proto
        self, request: WatchOrderRequest, context: Any
    ) -> AsyncIterator[Order]:
        yield Order(order_id="first")
        yield self._serve(context)


@asynccontextmanager
async def _serving(serve: Serve, facts: list[Fact]) -> AsyncIterator[orders_pb2_grpc.OrderServiceAsyncStub]:
    server = grpc.aio.server(interceptors=[EdgeInterceptor(system_ports(facts.append))])
    service = _Service(serve)  # type: ignore[abstract]  # only the stubs call the methods abstract
    orders_pb2_grpc.add_OrderServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield orders_pb2_grpc.OrderServiceStub(channel)
    finally:
        await server.stop(None)


def _raising(error: BaseException) -> Serve:
    def serve(_: object) -> Order:
        raise error

    return serve


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidMessage("no"), Code.INVALID_ARGUMENT),
        (errors.UnknownMessageType("no"), Code.INVALID_ARGUMENT),
        (errors.MessageTooLarge("no"), Code.RESOURCE_EXHAUSTED),
        (errors.Overloaded("no"), Code.UNAVAILABLE),
        (errors.StoreUnavailable("no"), Code.UNAVAILABLE),
        (errors.StoreBusy("no"), Code.UNAVAILABLE),
        (errors.StoreFull("no"), Code.UNAVAILABLE),
        (errors.CommitUnknown("no"), Code.UNAVAILABLE),
        (errors.DeadlineExceeded("no"), Code.DEADLINE_EXCEEDED),
        (errors.StoreReadOnly("no"), Code.INTERNAL),
        (errors.StoreCorrupt("no"), Code.INTERNAL),
        (CallFailed(Code.NOT_FOUND, "no"), Code.NOT_FOUND),
    ],
)
def test_a_code_tells_whether_to_try_again(error: errors.AmendsError, code: Code) -> None:
    assert code_of(error) is code


async def test_a_refusal_reaches_the_client_with_its_text() -> None:
    facts: list[Fact] = []
    async with _serving(_raising(errors.InvalidMessage("sku must not be empty")), facts) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetOrder(GetOrderRequest())
    assert caught.value.code() is Code.INVALID_ARGUMENT
    assert caught.value.details() == "sku must not be empty"
    assert [type(fact) for fact in facts] == [CallServed]


@pytest.mark.parametrize("what", ["x", "\u00fc", "\U0001f600"])
async def test_a_refusal_that_repeats_a_huge_input_is_cut_short_and_keeps_its_end(what: str) -> None:
    def serve(context: object) -> Order:
        raise errors.InvalidMessage(f"key {what * 100_000} is no key; take a short one")

    async with _serving(serve, []) as client:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.GetOrder(GetOrderRequest(order_id="ORD-1"))
    assert refused.value.code() is Code.INVALID_ARGUMENT
    text = refused.value.details() or ""
    assert text.startswith(f"key {what}") and text.endswith("is no key; take a short one")


async def test_a_bug_shows_the_client_nothing_but_an_id_that_is_in_the_log() -> None:
    facts: list[Fact] = []
    async with _serving(_raising(ZeroDivisionError("secret detail")), facts) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetOrder(GetOrderRequest())
    (broken,) = [fact for fact in facts if isinstance(fact, CallBroken)]
    assert caught.value.code() is Code.INTERNAL
    assert caught.value.details() == f"internal error (in the node's log under {broken.id})"
    assert isinstance(broken.error, ZeroDivisionError)


async def test_a_store_that_needs_an_operator_is_told_and_logged() -> None:
    facts: list[Fact] = []
    async with _serving(_raising(errors.StoreCorrupt("the file is damaged")), facts) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetOrder(GetOrderRequest())
    assert "the file is damaged" in str(caught.value.details())
    assert any(isinstance(fact, CallBroken) for fact in facts)


async def test_a_stream_that_fails_half_way_ends_with_the_code() -> None:
    async with _serving(_raising(errors.Overloaded("later")), []) as stub:
        got: list[str] = []
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for order in stub.WatchOrder(WatchOrderRequest()):
                got.append(order.order_id)
    assert got == ["first"]
    assert caught.value.code() is Code.UNAVAILABLE


async def test_what_a_method_answers_is_left_alone_and_each_call_is_a_fact() -> None:
    facts: list[Fact] = []
    async with _serving(lambda _: Order(order_id="ORD-1"), facts) as stub:
        assert (await stub.GetOrder(GetOrderRequest())).order_id == "ORD-1"
        assert [order.order_id async for order in stub.WatchOrder(WatchOrderRequest())] == ["first", "ORD-1"]
    assert [(fact.method, fact.code) for fact in facts if isinstance(fact, CallServed)] == [
        ("/shop.OrderService/GetOrder", "OK"),
        ("/shop.OrderService/WatchOrder", "OK"),
    ]


async def test_a_method_sees_the_time_that_is_left_and_the_trace_context() -> None:
    seen: list[tuple[float, str]] = []

    def serve(context: Any) -> Order:
        seen.append((time_left_s(context), traceparent(context)))
        return orders_pb2.Order()

    async with _serving(serve, []) as stub:
        await stub.GetOrder(GetOrderRequest())
        await stub.GetOrder(GetOrderRequest(), timeout=5.0, metadata=(("traceparent", "00-ab-cd-01"),))
        await stub.GetOrder(GetOrderRequest(), timeout=3600.0)
    assert seen[0] == (CALL_DEFAULT_S, "")
    assert 0.0 < seen[1][0] < CALL_DEFAULT_S
    assert seen[1][1] == "00-ab-cd-01"
    assert seen[2][0] == CALL_DEFAULT_S


async def test_a_method_nobody_serves_stays_unimplemented() -> None:
    async with _serving(lambda _: Order(), []) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Restock(orders_pb2.RestockRequest())
    assert caught.value.code() is Code.UNIMPLEMENTED


@pytest.mark.parametrize(
    "error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(), BaseException("odd")]
)
async def test_a_method_that_calls_for_an_exit_ends_its_call_and_not_the_node(error: BaseException) -> None:
    facts: list[Fact] = []
    async with _serving(_raising(error), facts) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.GetOrder(GetOrderRequest())
        assert caught.value.code() is Code.INTERNAL
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            async for _ in client.WatchOrder(WatchOrderRequest()):
                pass
        assert caught.value.code() is Code.INTERNAL
    assert [type(one.error) for one in facts if isinstance(one, CallBroken)] == [type(error)] * 2


@pytest.mark.parametrize(
    "kind",
    [
        errors.StoreFull,
        errors.StoreBusy,
        errors.StoreUnavailable,
        errors.StoreReadOnly,
        errors.StoreCorrupt,
        errors.StoreReplaced,
        errors.StoreTooNew,
        errors.CommitUnknown,
    ],
)
async def test_no_client_learns_where_the_store_lies(kind: type[errors.StoreError]) -> None:
    facts: list[Fact] = []
    async with _serving(_raising(kind("/srv/secret place/amends.db failed, see process 12")), facts) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetOrder(GetOrderRequest(order_id="ORD-1"))
    assert caught.value.details()
    assert "secret" not in str(caught.value.details())
    assert "amends.db" not in str(caught.value.details())
