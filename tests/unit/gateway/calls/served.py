"""A real server whose methods a test decides on, behind the interceptors of a node, and who calls it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from protos import orders_pb2_grpc
from protos.orders_pb2 import GetOrderRequest, Order, WatchOrderRequest
from runtime.adapters import system_ports
from runtime.gateway.calls.calls_of import CallsOf
from runtime.gateway.calls.channel import CallsChannel
from runtime.gateway.calls.frames import CallLimits
from runtime.gateway.calls.served_call import StreamedCall
from runtime.gateway.calls.streams import CallStreams, add_calls_service
from runtime.gateway.interceptors import EdgeInterceptor
from runtime.ports import Fact
from runtime.protos import calls_pb2, calls_pb2_grpc

__all__ = ["GET", "Served", "calling", "raw_stream", "serving"]

GET = "/shop.OrderService/GetOrder"
Serve = Callable[[GetOrderRequest, Any], Awaitable[Order]]


@dataclass(slots=True)
class Served:
    """What a test sees of its server."""

    address: str = ""
    streams: CallStreams | None = None
    facts: list[Fact] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)  # orders that were asked for, in order
    ended: list[str] = field(default_factory=list)  # orders whose method has returned or was broken off
    unary: int = 0  # calls that came by themselves
    frames: list[int] = field(default_factory=list)  # how many calls each frame had


class _OrdersAsTold(orders_pb2_grpc.OrderServiceServicer):
    PlaceOrders: Any = CallsOf(GET)

    def __init__(self, serve: Serve, served: Served) -> None:
        self._serve, self._served = serve, served

    async def GetOrder(self, request: GetOrderRequest, context: Any) -> Order:  # noqa: N802 - named by orders.proto
        self._served.begun.append(request.order_id)
        self._served.unary += not isinstance(context, StreamedCall)
        try:
            return await self._serve(request, context)
        finally:
            self._served.ended.append(request.order_id)

    async def WatchOrder(  # noqa: N802 - named by orders.proto
        self, request: WatchOrderRequest, context: Any
    ) -> AsyncIterator[Order]:
        yield Order(order_id=request.order_id)


@asynccontextmanager
async def serving(
    serve: Serve, limits: CallLimits | None = None, *, knows_streams: bool = True, port: int = 0
) -> AsyncIterator[Served]:
    served = Served()
    ports = system_ports(served.facts.append)
    served.streams = CallStreams(ports, limits or CallLimits(), within=[EdgeInterceptor(ports)])
    server = grpc.aio.server(
        interceptors=[served.streams if knows_streams else EdgeInterceptor(ports)],
        options=[("grpc.so_reuseport", 0)],
    )
    service = _OrdersAsTold(serve, served)  # type: ignore[abstract]  # only the stubs call the methods abstract
    orders_pb2_grpc.add_OrderServiceServicer_to_server(service, server)
    if knows_streams:
        add_calls_service(server)
    served.address = f"127.0.0.1:{server.add_insecure_port(f'127.0.0.1:{port}')}"
    await server.start()
    try:
        yield served
    finally:
        await server.stop(None)


class _Counting(grpc.aio.Channel):
    """A channel that notes how many calls each frame of its streams has."""

    def __init__(self, channel: grpc.aio.Channel, frames: list[int]) -> None:
        self._channel, self._frames = channel, frames

    def stream_stream(self, method: str, *rest: Any, **options: Any) -> Any:
        open_stream: Any = self._channel.stream_stream(method, *rest, **options)

        def begin(*arguments: Any, **named: Any) -> Any:
            stream = open_stream(*arguments, **named)
            write = stream.write

            async def noted(frame: bytes) -> None:
                self._frames.append(len(calls_pb2.Calls.FromString(frame).calls))
                await write(frame)

            stream.write = noted
            return stream

        return begin

    def unary_unary(self, *arguments: Any, **options: Any) -> Any:
        return self._channel.unary_unary(*arguments, **options)

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        return self._channel.unary_stream(*arguments, **options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        return self._channel.stream_unary(*arguments, **options)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        await self._channel.close(grace)

    async def __aenter__(self) -> _Counting:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


@asynccontextmanager
async def calling(served: Served, *, patience_s: float = 0.0) -> AsyncIterator[orders_pb2_grpc.OrderServiceAsyncStub]:
    channel = _Counting(grpc.aio.insecure_channel(served.address), served.frames)
    async with CallsChannel(channel, patience_s=patience_s) as calls:
        yield orders_pb2_grpc.OrderServiceStub(calls)


@asynccontextmanager
async def raw_stream(served: Served, metadata: Any = None) -> AsyncIterator[Any]:
    """A stream of calls without a client of ours, after the node's first message."""
    async with grpc.aio.insecure_channel(served.address) as channel, asyncio.timeout(30):
        stream = calls_pb2_grpc.ClientCallsStub(channel).Open(metadata=metadata)
        first = await stream.read()
        assert isinstance(first, calls_pb2.Answers) and first.calls_max and first.frame_bytes_max
        yield stream
        stream.cancel()
