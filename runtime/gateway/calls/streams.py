"""All streams of calls at a node: which methods are such streams, and how each of their calls reaches its method.

    client ──ClientCalls.Open──▶ CallStreams ──each call──▶ the interceptors within ──▶ the method of that name
    client ──a method that is a CallsOf──▶  "     ──each call──▶  "  ──▶ the method that it is of

All other interceptors are within this one. So whatever holds for a unary call, holds for a call of a stream by the same
code.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import grpc
import grpc.aio

from runtime.gateway.calls.calls_of import CallsOf
from runtime.gateway.calls.frames import CallLimits
from runtime.gateway.calls.served_call import Opened
from runtime.gateway.calls.served_stream import CallCount, FindMethod, ServedStream
from runtime.mesh.servicer import AcceptedLink
from runtime.ports import Ports
from runtime.protos import calls_pb2_grpc

__all__ = ["CallStreams", "add_calls_service"]

_AWAY = "this node takes no new calls, since it starts or stops; go on at another one"
_OLD = "this stream is old; go on with a new one"


def add_calls_service(server: grpc.aio.Server) -> None:
    """Offer the stream for calls of all methods on a server that is not started yet."""
    calls_pb2_grpc.add_ClientCallsServicer_to_server(_ClientCalls(), server)


class _ClientCalls(calls_pb2_grpc.ClientCallsServicer):
    Open: Any = CallsOf("")


Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


class CallStreams(grpc.aio.ServerInterceptor):
    """The only interceptor of its server. The others are `within`, since grpc runs through its own chain only once."""

    def __init__(self, ports: Ports, limits: CallLimits, within: Sequence[grpc.aio.ServerInterceptor]) -> None:
        self._ports = ports
        self._within = tuple(within)
        self._limits = limits
        self._streams: dict[ServedStream, None] = {}
        self._count = CallCount()
        self._is_serving = True

    def __iter__(self) -> Iterator[ServedStream]:
        """Those that are open."""
        return iter(self._streams)

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        for interceptor in reversed(self._within):
            continuation = partial(interceptor.intercept_service, continuation)
        handler = await continuation(handler_call_details)
        calls_of = getattr(handler, "stream_stream", None)
        if not isinstance(calls_of, CallsOf):
            return cast("grpc.RpcMethodHandler[Any, Any] | None", handler)

        details: Any = type(handler_call_details)  # grpc's own class, which is the only one that the server takes

        def find(method: str, metadata: Any) -> Awaitable[Any]:
            return continuation(details(method, metadata))

        async def carry(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            await self._carry(context, find, calls_of.method)

        return grpc.stream_stream_rpc_method_handler(carry)

    def serving(self, yes: bool) -> None:
        """Whether streams are taken. A no tells the clients of those that are open to begin no more calls on them."""
        self._is_serving = yes
        if not yes:
            for stream in self._streams:
                stream.leave(_AWAY)

    def close(self) -> None:
        """End each stream once its calls are answered."""
        self.serving(False)
        for stream in self._streams:
            stream.finish()

    async def _carry(self, context: grpc.aio.ServicerContext[Any, Any], find: FindMethod, method: str) -> None:
        if not self._is_serving:
            await context.abort(grpc.StatusCode.UNAVAILABLE, _AWAY)
        link = AcceptedLink(context)
        stream = ServedStream(link, Opened.of(context), self._ports, self._limits, find, self._count, method)
        self._streams[stream] = None
        # The stream has a task of its own, since grpc cancels this one in the middle of anything when a client is gone.
        serving = self._ports.tasks.start(_until_over(stream, link), name=f"calls from {context.peer()}")
        old = self._ports.clock.call_later(self._limits.age_s, stream.leave, _OLD)
        try:
            await link.ended()
        finally:
            old.cancel()
            link.end()
            stream.end()
            del self._streams[stream]
        if refusal := await serving:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, refusal)


async def _until_over(stream: ServedStream, link: AcceptedLink) -> str:
    try:
        return await stream.run()
    finally:
        link.end()
