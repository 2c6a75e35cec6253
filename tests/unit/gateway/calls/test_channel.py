"""Calls that are under way at once share a stream, and each is answered as if it had been called by itself."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import Any

import grpc
import grpc.aio
import pytest

from protos.orders_pb2 import GetOrderRequest, Order, RestockRequest, WatchOrderRequest
from runtime import errors
from runtime.gateway.calls.frames import CallLimits
from runtime.gateway.calls.served_stream import CallStreamEnded
from runtime.gateway.interceptors import CALL_DEFAULT_S, CallBroken, CallFailed, CallServed, time_left_s, traceparent
from tests.unit.gateway.calls.served import calling, serving

Code = grpc.StatusCode


async def _echo(request: GetOrderRequest, _: Any) -> Order:
    return Order(order_id=request.order_id)


def _ask(stub: Any, name: str, timeout: float | None = 20.0, **options: Any) -> asyncio.Task[Order]:
    async def ask() -> Order:
        order: Order = await stub.GetOrder(GetOrderRequest(order_id=name), timeout=timeout, **options)
        return order

    return asyncio.create_task(ask())


async def _until(what: Any) -> None:
    async with asyncio.timeout(20):
        while not what():
            await asyncio.sleep(0.005)


class Gate:
    """Holds calls at their node until it is opened."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def serve(self, request: GetOrderRequest, _: Any) -> Order:
        if request.order_id.startswith("held"):
            await self.opened.wait()
        return Order(order_id=request.order_id)


async def test_many_calls_at_once_go_in_few_frames_and_a_single_one_by_itself() -> None:
    async with serving(_echo) as served, calling(served) as stub:
        for name in ("a", "b"):
            assert (await _ask(stub, name)).order_id == name
        assert (served.unary, served.frames) == (2, [])
        for _ in range(3):
            names = [f"order {number}" for number in range(200)]
            assert [order.order_id for order in await asyncio.gather(*(_ask(stub, name) for name in names))] == names
        assert served.unary == 2 + 3  # the first of each burst found nobody under way
        assert sum(served.frames) == 3 * 199 and len(served.frames) <= 6


REFUSALS = [
    errors.InvalidMessage("sku must not be empty"),
    errors.MessageTooLarge("no"),
    errors.Overloaded("later"),
    errors.BacklogFull("11 messages wait", retry_after_s=2.5),
    errors.StoreFull("/srv/secret place/amends.db is full"),
    CallFailed(Code.NOT_FOUND, "there is no order"),
    errors.DeadlineExceeded("x" * 5_000),
    errors.StoreCorrupt("the file is damaged"),
    ZeroDivisionError("secret detail"),
    NotImplementedError(),
    asyncio.CancelledError(),
    SystemExit(3),
]


async def test_a_refusal_is_the_same_by_stream_as_by_itself() -> None:
    async def serve(request: GetOrderRequest, context: Any) -> Order:
        context.set_trailing_metadata((("amends-error", "some"),))
        raise REFUSALS[int(request.order_id)]

    names = [str(number) for number in range(len(REFUSALS))]
    async with serving(serve) as served, calling(served) as stub:
        alone = [(await asyncio.gather(_ask(stub, name), return_exceptions=True))[0] for name in names]
        assert served.unary == len(names)
        held = [await asyncio.gather(*(_ask(stub, name) for name in ["0", *names]), return_exceptions=True)]
        together = held[0][1:]
        assert served.unary == len(names) + 1
        for one, other in zip(alone, together, strict=True):
            assert isinstance(one, grpc.aio.AioRpcError) and isinstance(other, grpc.aio.AioRpcError)
            assert (one.code(), _without_id(one), dict(one.trailing_metadata())) == (
                other.code(),
                _without_id(other),
                dict(other.trailing_metadata()),
            )
        broken = [fact for fact in served.facts if isinstance(fact, CallBroken)]
        assert all(any(fact.id in str(one) for one in (*alone, *together)) for fact in broken) and len(broken) == 8


def _without_id(error: grpc.aio.AioRpcError) -> str:
    return (error.details() or "").partition(" (in the node's log under ")[0]


async def test_each_call_of_a_stream_has_its_own_time_and_trace_and_is_a_fact() -> None:
    seen: dict[str, tuple[float, str]] = {}

    async def serve(request: GetOrderRequest, context: Any) -> Order:
        seen[request.order_id] = (time_left_s(context), traceparent(context))
        return Order()

    async with serving(serve) as served, calling(served) as stub:
        trace = (("traceparent", "00-ab-cd-01"),)
        await asyncio.gather(
            _ask(stub, "alone"),
            _ask(stub, "short", 5.0),
            _ask(stub, "endless", None),
            _ask(stub, "traced", metadata=trace),
        )
        assert served.unary == 1
        assert 0 < seen["short"][0] < 5.0 and seen["short"][1] == ""
        assert seen["endless"] == (CALL_DEFAULT_S, "")
        assert seen["traced"][1] == "00-ab-cd-01"
        assert [fact.code for fact in served.facts if isinstance(fact, CallServed)] == ["OK"] * 4


async def test_a_call_ends_with_its_time_at_both_ends_and_the_others_go_on() -> None:
    gate = Gate()
    async with serving(gate.serve) as served, calling(served) as stub:
        held = [_ask(stub, f"held {number}", 60.0) for number in range(3)]
        late = _ask(stub, "held for too long", 0.05)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await late
        assert caught.value.code() is Code.DEADLINE_EXCEEDED
        await _until(lambda: "held for too long" in served.ended)
        gate.opened.set()
        assert len(await asyncio.gather(*held)) == 3


async def test_a_call_that_its_caller_cancels_is_broken_off_at_the_node_and_the_others_go_on() -> None:
    gate = Gate()
    async with serving(gate.serve, CallLimits(calls_max=2)) as served, calling(served) as stub:
        held = [_ask(stub, f"held {number}") for number in range(2)]
        dropped, unsent = _ask(stub, "held and dropped"), _ask(stub, "held and never sent")
        await _until(lambda: len(served.begun) == 3)
        unsent.cancel()
        dropped.cancel()
        await _until(lambda: served.ended == ["held and dropped"])
        assert (await _ask(stub, "after it")).order_id == "after it"  # its room is free again
        gate.opened.set()
        assert len(await asyncio.gather(*held)) == 2 and "held and never sent" not in served.begun


async def test_more_calls_than_a_node_bears_on_one_stream_wait_at_the_client() -> None:
    gate = Gate()
    async with serving(gate.serve, CallLimits(calls_max=3)) as served, calling(served) as stub:
        asked = [_ask(stub, f"held {number}") for number in range(20)]
        await _until(lambda: len(served.begun) == 4)
        assert served.unary == 1
        with pytest.raises(grpc.aio.AioRpcError, match="Deadline Exceeded"):
            await _ask(stub, "never sent", 0.05)
        assert len(served.begun) == 4
        gate.opened.set()
        assert {order.order_id for order in await asyncio.gather(*asked)} == {f"held {number}" for number in range(20)}


async def test_a_node_that_has_calls_enough_of_all_streams_refuses_more() -> None:
    gate = Gate()
    async with (
        serving(gate.serve, CallLimits(all_calls_max=2)) as served,
        calling(served) as one,
        calling(served) as two,
    ):
        held = [_ask(stub, f"held {number}") for number in range(2) for stub in (one, two)]
        await _until(lambda: len(served.begun) == 4)
        with pytest.raises(grpc.aio.AioRpcError, match="2 calls are under way at this node") as caught:
            await _ask(two, "too much")
        assert caught.value.code() is Code.RESOURCE_EXHAUSTED
        gate.opened.set()
        await asyncio.gather(*held)
        assert [order.order_id for order in await asyncio.gather(*(_ask(two, "b") for _ in range(3)))] == ["b"] * 3


async def test_a_server_without_streams_is_called_by_itself_and_nobody_notices() -> None:
    async with serving(_echo, knows_streams=False) as served, calling(served) as stub:
        for _ in range(2):
            assert len(await asyncio.gather(*(_ask(stub, "a") for _ in range(20)))) == 20
        assert (served.unary, served.frames) == (40, [])


async def test_what_does_not_fit_into_a_stream_goes_by_itself() -> None:
    gate = Gate()
    async with serving(gate.serve) as served, calling(served) as stub:
        held = _ask(stub, "held")
        await _until(lambda: served.unary == 1)
        await _ask(stub, "x" * 300_000)
        await _ask(stub, "binary", metadata=(("some-bin", b"\x00"),))
        await _ask(stub, "twice", metadata=(("some", "1"), ("some", "2")))
        await _ask(stub, "waits", wait_for_ready=True)
        assert (served.unary, served.frames) == (5, [])
        assert [order.order_id async for order in stub.WatchOrder(WatchOrderRequest(order_id="w"))] == ["w"]
        with pytest.raises(grpc.aio.AioRpcError, match="does not offer the method") as caught:
            await stub.Restock(RestockRequest())
        assert caught.value.code() is Code.UNIMPLEMENTED
        gate.opened.set()
        await held


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def test_calls_of_a_stream_that_breaks_are_asked_again_within_their_time() -> None:
    port, gate = _free_port(), Gate()
    async with AsyncExitStack() as first_stack:
        first = await first_stack.enter_async_context(serving(gate.serve, port=port))
        async with calling(first, patience_s=20.0) as stub:
            blocks = asyncio.create_task(first_alone(stub))
            await _until(lambda: len(first.begun) == 1)
            asked = [_ask(stub, f"held {number}") for number in range(10)]
            answered = await _ask(stub, "answered")
            short = _ask(stub, "held for a moment", 0.3)
            await _until(lambda: len(first.begun) == 13)
            await first_stack.aclose()
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await short
            assert caught.value.code() is Code.DEADLINE_EXCEEDED
            with pytest.raises(grpc.aio.AioRpcError):
                await blocks
            async with serving(_echo, port=port) as second:
                assert len(await asyncio.gather(*asked)) == 10
                assert sorted(second.begun) == sorted(f"held {number}" for number in range(10))
                assert answered.order_id == "answered"


async def first_alone(stub: Any) -> Order:
    """A call that finds nobody under way, so that all others take the stream. It is no call of the stream itself."""
    order: Order = await stub.GetOrder(GetOrderRequest(order_id="held alone"), timeout=60.0)
    return order


async def test_without_patience_a_call_ends_as_its_stream_does() -> None:
    gate = Gate()
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(serving(gate.serve))
        async with calling(served) as stub:
            asked = [_ask(stub, f"held {number}") for number in range(5)]
            await _until(lambda: len(served.begun) == 5)
            await stack.aclose()
            for failure in await asyncio.gather(*asked, return_exceptions=True):
                assert isinstance(failure, grpc.aio.AioRpcError)
                assert failure.code() in (Code.UNAVAILABLE, Code.CANCELLED, Code.UNKNOWN), failure
            refused = await asyncio.gather(*(_ask(stub, "nobody") for _ in range(3)), return_exceptions=True)
            assert [str(one).count("failed to connect") > 0 for one in refused] == [True] * 3


async def test_a_node_that_leaves_answers_what_it_has_begun_and_gets_nothing_new() -> None:
    gate = Gate()
    async with serving(gate.serve, CallLimits(calls_max=4)) as served, calling(served, patience_s=20.0) as stub:
        held = [_ask(stub, f"held {number}") for number in range(7)]
        await _until(lambda: len(served.begun) == 5)
        assert served.streams is not None
        served.streams.serving(False)
        with pytest.raises(grpc.aio.AioRpcError):
            await _ask(stub, "refused while it leaves", 0.2)
        assert len(served.begun) == 5
        gate.opened.set()
        assert len(await asyncio.gather(*held[:5])) == 5
        assert "held 5" not in served.begun
        served.streams.serving(True)
        assert len(await asyncio.gather(*held[5:])) == 2


async def test_a_channel_that_is_closed_cancels_what_is_under_way() -> None:
    gate = Gate()
    async with serving(gate.serve) as served:
        async with calling(served, patience_s=20.0) as stub:
            asked = [_ask(stub, f"held {number}") for number in range(3)]
            await _until(lambda: len(served.begun) == 3)
        assert all(
            isinstance(one, asyncio.CancelledError) for one in await asyncio.gather(*asked, return_exceptions=True)
        )
        await _until(lambda: len(served.ended) == 3)


async def test_a_response_that_is_too_large_for_a_stream_is_fetched_by_itself() -> None:
    async def serve(request: GetOrderRequest, _: Any) -> Order:
        return Order(order_id=request.order_id, reason="x" * (3_000_000 if request.order_id == "large" else 10))

    async with serving(serve) as served, calling(served) as stub:
        orders = await asyncio.gather(*(_ask(stub, name) for name in ("alone", "small", "large", "small")))
        assert [len(order.reason) for order in orders] == [10, 10, 3_000_000, 10]
        assert served.unary == 2 and served.begun.count("large") == 2


async def test_streams_grow_old_and_calls_go_on_with_new_ones_unnoticed() -> None:
    async def serve(request: GetOrderRequest, _: Any) -> Order:
        await asyncio.sleep(0)
        return Order(order_id=request.order_id)

    async with serving(serve, CallLimits(age_s=0.02, calls_max=8)) as served, calling(served) as stub:

        async def customer(number: int) -> None:
            while ended() < 4:
                assert (await _ask(stub, str(number))).order_id == str(number)

        def ended() -> int:
            return sum(isinstance(fact, CallStreamEnded) for fact in served.facts)

        async with asyncio.timeout(30):
            await asyncio.gather(*(customer(number) for number in range(20)))
        assert served.unary < 10
