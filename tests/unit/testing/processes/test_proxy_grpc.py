"""The proxy under real gRPC: calls meet the faults as a broken network would have them, and streams arrive twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import grpc
import grpc.aio
import pytest

from runtime.testing.processes.proxy import ProxiedLink, Proxy

WITHIN_S = 30.0
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Server:
    """Keeps what it was asked, and answers in capitals."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.streams: list[list[bytes]] = []
        self._server = grpc.aio.server()

    async def start(self) -> str:
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "Ask": grpc.unary_unary_rpc_method_handler(self._ask),
            "Stream": grpc.stream_stream_rpc_method_handler(self._stream),
        }
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", handlers),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return f"127.0.0.1:{port}"

    async def close(self) -> None:
        await self._server.stop(None)

    async def _ask(self, request: bytes, context: Context) -> bytes:
        self.asked.append(request)
        return request.upper()

    async def _stream(self, requests: AsyncIterator[bytes], context: Context) -> AsyncIterator[bytes]:
        heard: list[bytes] = []
        self.streams.append(heard)
        async for request in requests:
            heard.append(request)
            yield request.upper()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    yield server
    await server.close()


@pytest.fixture
async def proxy(server: Server) -> AsyncIterator[Proxy]:
    async with Proxy(await server.start()) as proxy:
        yield proxy


@pytest.fixture
def link(proxy: Proxy) -> ProxiedLink:
    return proxy.link()


@pytest.fixture
async def channel(proxy: Proxy) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(
        proxy.address, options=[("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
    ) as channel:
        yield channel


async def ask(channel: grpc.aio.Channel, request: bytes, *, timeout_s: float = WITHIN_S) -> bytes:
    call: Any = channel.unary_unary("/test.Echo/Ask")
    answer: bytes = await call(request, timeout=timeout_s, wait_for_ready=False)
    return answer


async def persist(channel: grpc.aio.Channel, request: bytes) -> bytes:
    """Ask until there is an answer: a channel may still try a connection whose end it has not read yet."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                return await ask(channel, request)
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE
                await asyncio.sleep(0.01)


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not check():
            await asyncio.sleep(0.001)


async def test_calls_pass(channel: grpc.aio.Channel, server: Server) -> None:
    assert await ask(channel, b"hello") == b"HELLO"
    assert server.asked == [b"hello"]


async def test_a_cut_makes_calls_unavailable_and_healing_makes_them_work(
    channel: grpc.aio.Channel, server: Server, link: ProxiedLink
) -> None:
    await ask(channel, b"before")
    link.cut()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(channel, b"during")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    link.heal()
    assert await persist(channel, b"after") == b"AFTER"
    assert server.asked == [b"before", b"after"]


async def test_a_frozen_link_lets_a_call_run_into_its_deadline_and_the_request_comes_later(
    channel: grpc.aio.Channel, server: Server, link: ProxiedLink
) -> None:
    await ask(channel, b"before")
    link.back.freeze()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(channel, b"during", timeout_s=2.0)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await until(lambda: server.asked == [b"before", b"during"])
    link.heal()
    assert await ask(channel, b"after") == b"AFTER"


async def test_a_swallowed_reply_makes_a_call_fail_that_was_carried_out(
    channel: grpc.aio.Channel, server: Server, link: ProxiedLink
) -> None:
    await ask(channel, b"before")
    link.swallow_replies(then_break_s=1.0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(channel, b"pay")
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await until(lambda: server.asked == [b"before", b"pay"])
    link.heal()
    assert await persist(channel, b"after") == b"AFTER"


async def test_calls_over_a_duplicated_connection_are_carried_out_twice_and_answered_once(
    channel: grpc.aio.Channel, server: Server, link: ProxiedLink
) -> None:
    link.duplicates = True
    for number in range(20):
        assert await ask(channel, b"pay %d" % number) == b"PAY %d" % number
    await until(lambda: len(server.asked) == 40)
    assert sorted(server.asked) == sorted([b"pay %d" % number for number in range(20)] * 2)


async def test_a_whole_stream_arrives_twice_in_its_order(
    channel: grpc.aio.Channel, server: Server, link: ProxiedLink
) -> None:
    link.duplicates = True
    method: Any = channel.stream_stream("/test.Echo/Stream")
    call = method(timeout=WITHIN_S)
    sent = [b"%d" % number * 1000 for number in range(50)]
    for one in sent:
        await call.write(one)
        assert await call.read() == one.upper()
    await call.done_writing()
    await until(lambda: [len(one) for one in server.streams] == [50, 50])
    assert server.streams == [sent, sent]
    call.cancel()
