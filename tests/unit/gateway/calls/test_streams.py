"""What a node does with a stream of calls of a foreign client: one that breaks the rules, lies, or does not read."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from protos import orders_pb2, orders_pb2_grpc
from protos.orders_pb2 import GetOrderRequest, Order
from runtime.gateway.calls.calls_of import CallsOf
from runtime.gateway.calls.frames import FRAME_BYTES_MAX, CallLimits
from runtime.gateway.calls.served_stream import CallStreamRefused
from runtime.protos import calls_pb2
from runtime.protos.calls_pb2 import Answers, Call, CallAnswer, Calls
from tests.unit.gateway.calls.served import GET, raw_stream, serving

Code = grpc.StatusCode


def _call(id: int, name: str = "", method: str = GET, **more: Any) -> Call:
    return Call(id=id, method=method, request=GetOrderRequest(order_id=name or str(id)).SerializeToString(), **more)


async def _echo(request: GetOrderRequest, _: Any) -> Order:
    return Order(order_id=request.order_id)


async def _answers(stream: Any, count: int) -> dict[int, CallAnswer]:
    """So many answers, by id; fewer when the stream ends before."""
    found: dict[int, CallAnswer] = {}
    while len(found) < count:
        try:
            frame = await stream.read()
        except grpc.aio.AioRpcError:
            break
        if not isinstance(frame, Answers):
            break
        found.update((answer.id, answer) for answer in frame.answers)
    return found


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        (Calls(calls=[_call(2)]), "rise from call to call, from 1; 2 came after 2"),
        (Calls(calls=[_call(3, timeout_s=-1.0)]), "0 or more seconds"),
        (Calls(calls=[_call(number) for number in range(3, 7)]), "5 calls are without an answer on this stream"),
        (b"\xff\xff\xff", "3 bytes are no frame of calls"),
    ],
)
async def test_a_client_that_breaks_the_rules_is_told_which_and_gets_the_answers_that_are_due(
    frame: Any, text: str
) -> None:
    opened = asyncio.Event()

    async def serve(request: GetOrderRequest, _: Any) -> Order:
        if request.order_id == "held":
            await opened.wait()
        return Order(order_id=request.order_id)

    async with serving(serve, CallLimits(calls_max=4)) as served, grpc.aio.insecure_channel(served.address) as channel:
        multi: Any = channel.stream_stream("/amends.ClientCalls/Open", response_deserializer=Answers.FromString)
        stream = multi(timeout=20)
        await stream.read()
        await stream.write(Calls(calls=[_call(1), _call(2, "held")]).SerializeToString())
        assert list(await _answers(stream, 1)) == [1]
        await stream.write(frame if isinstance(frame, bytes) else frame.SerializeToString())
        async with asyncio.timeout(20):
            while not (refused := [fact for fact in served.facts if isinstance(fact, CallStreamRefused)]):
                await asyncio.sleep(0.005)
        opened.set()
        assert list(await _answers(stream, 9)) == [2]
        assert (await stream.code(), text in await stream.details()) == (Code.INVALID_ARGUMENT, True)
        assert served.begun == ["1", "held"]
        assert text in refused[0].reason and refused[0].peer


async def test_a_client_that_does_not_read_is_read_no_further_and_then_gets_everything() -> None:
    answer = "x" * 100_000

    async def serve(request: GetOrderRequest, _: Any) -> Order:
        return Order(order_id=request.order_id, reason=answer)

    limits = CallLimits(calls_max=1000, unread_bytes_max=1_000_000)
    async with serving(serve, limits) as served, raw_stream(served) as stream:

        async def write() -> None:
            for number in range(1, 301):
                await stream.write(Calls(calls=[_call(number)]))
            await stream.done_writing()

        writing = asyncio.create_task(write())
        assert served.streams is not None
        async with asyncio.timeout(20):
            while not any(one.is_crowded for one in served.streams):
                await asyncio.sleep(0.005)
        assert 10 < len(served.begun) < 250
        assert sorted(await _answers(stream, 300)) == list(range(1, 301))
        await writing
        assert await stream.code() is Code.OK


async def test_answers_that_are_ready_together_share_frames_of_bounded_size() -> None:
    async def serve(request: GetOrderRequest, _: Any) -> Order:
        return Order(order_id=request.order_id, reason="x" * 50_000)

    async with serving(serve) as served, raw_stream(served) as stream:
        await stream.write(Calls(calls=[_call(number) for number in range(1, 31)]))
        sizes, count = [], 0
        while count < 30:
            frame = await stream.read()
            sizes.append(frame.ByteSize())
            count += len(frame.answers)
        assert max(sizes) <= FRAME_BYTES_MAX and len(sizes) < 15


async def test_only_methods_of_one_request_and_one_answer_can_be_called() -> None:
    async with serving(_echo) as served, raw_stream(served) as stream:
        methods = ("/shop.OrderService/Nothing", "", "/shop.OrderService/WatchOrder", "/amends.ClientCalls/Open", GET)
        await stream.write(Calls(calls=[_call(number, method=method) for number, method in enumerate(methods, 1)]))
        found = await _answers(stream, 5)
        assert [found[id].code for id in range(1, 6)] == [Code.UNIMPLEMENTED.value[0]] * 4 + [0]
        assert "has no method '/shop.OrderService/Nothing'" in found[1].text
        assert "WatchOrder takes or gives a stream" in found[3].text


async def test_a_request_that_cannot_be_read_is_the_error_of_its_call_alone() -> None:
    async with serving(_echo) as served, raw_stream(served) as stream:
        await stream.write(Calls(calls=[Call(id=1, method=GET, request=b"\xff\xff"), _call(2)]))
        found = await _answers(stream, 2)
        assert (found[1].code, found[2].code) == (Code.INVALID_ARGUMENT.value[0], 0)
        assert "no message that /shop.OrderService/GetOrder takes" in found[1].text


async def test_a_call_cannot_claim_what_its_stream_was_opened_with() -> None:
    seen: list[tuple[tuple[str, str], ...]] = []

    async def serve(request: GetOrderRequest, context: Any) -> Order:
        seen.append(tuple(pair for pair in context.invocation_metadata() if pair[0] in ("user", "traceparent", "own")))
        return Order()

    opened = (("user", "ann"), ("traceparent", "of the stream"))
    async with serving(serve) as served, raw_stream(served, metadata=opened) as stream:
        told = {"user": "root", "traceparent": "of the call", "own": "1"}
        await stream.write(Calls(calls=[_call(1, metadata=told), _call(2)]))
        assert len(await _answers(stream, 2)) == 2
        assert sorted(seen[0]) == [("own", "1"), ("traceparent", "of the call"), ("user", "ann")]
        assert sorted(seen[1]) == sorted(opened)


async def test_the_deadline_of_a_call_holds_at_the_node_even_if_its_method_does_not_look() -> None:
    async def serve(request: GetOrderRequest, _: Any) -> Order:
        await asyncio.Event().wait()
        return Order()

    async with serving(serve) as served, raw_stream(served) as stream:
        await stream.write(Calls(calls=[_call(1, timeout_s=0.01), _call(2)]))
        (answer,) = (await _answers(stream, 1)).values()
        assert (answer.id, answer.code) == (1, Code.DEADLINE_EXCEEDED.value[0])
        assert served.ended == ["1"]
        await stream.write(Calls(cancelled=[1, 2, 99]))  # those that are over, or never were, are let be
        (answer,) = (await _answers(stream, 1)).values()
        assert (answer.id, answer.code) == (2, Code.CANCELLED.value[0])


async def test_a_stream_of_one_method_has_its_messages_in_place_of_bytes() -> None:
    async def serve(request: GetOrderRequest, _: Any) -> Order:
        return Order(order_id=request.order_id, revision=3)

    async with serving(serve) as served, grpc.aio.insecure_channel(served.address) as channel:
        stream = orders_pb2_grpc.OrderServiceStub(channel).PlaceOrders(timeout=20)
        first = await stream.read()
        assert isinstance(first, orders_pb2.PlacementAnswers) and first.orders_max
        placements = [orders_pb2.Placement(id=1, order=orders_pb2.PlaceOrderRequest(order_id="ORD-1"))]
        await stream.write(orders_pb2.Placements(placements=placements))
        answers = await stream.read()
        assert isinstance(answers, orders_pb2.PlacementAnswers)
        assert answers.answers[0] == orders_pb2.PlacementAnswer(id=1, order=Order(order_id="ORD-1", revision=3))
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF and await stream.code() is Code.OK


async def test_a_node_that_stops_says_goodbye_answers_and_ends_its_streams() -> None:
    opened = asyncio.Event()

    async def serve(request: GetOrderRequest, _: Any) -> Order:
        await opened.wait()
        return Order(order_id=request.order_id)

    async with serving(serve) as served, raw_stream(served) as idle, raw_stream(served) as busy:
        assert served.streams is not None
        await busy.write(Calls(calls=[_call(1)]))
        while not served.begun:
            await asyncio.sleep(0.005)
        served.streams.close()
        frame = await idle.read()
        assert "go on at another" in frame.goodbye
        assert await idle.read() is grpc.aio.EOF and await idle.code() is Code.OK
        frame = await busy.read()
        assert frame.goodbye and not frame.answers
        opened.set()
        assert list(await _answers(busy, 9)) == [1]
        assert await busy.code() is Code.OK
        with pytest.raises(grpc.aio.AioRpcError, match="takes no new calls") as caught:
            async with raw_stream(served):
                pass
        assert caught.value.code() is Code.UNAVAILABLE


def test_a_method_of_calls_says_who_can_carry_them() -> None:
    with pytest.raises(NotImplementedError, match="only a node's server carries calls of /shop"):
        CallsOf(GET)(None, None)
    assert calls_pb2.DESCRIPTOR.package == "amends"
