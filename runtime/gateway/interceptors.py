"""What every client call passes through: errors become status codes, a bug becomes an id, each call is a fact.

    client ──call──▶ grpc ──▶ EdgeInterceptor ──▶ the service's method
    client ◀──code, text── EdgeInterceptor ◀──AmendsError or a bug──┘

Methods take what a call brings along (deadline, trace context) from `time_left_s` and `traceparent`, and raise; no
method knows how to abort a call. Bodies are read and written in here too, so that one that cannot be is an error like
any other. Streams between nodes, which are bytes to grpc, pass untouched.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias, cast
from urllib.parse import quote

import grpc
import grpc.aio

from runtime.errors import AmendsError
from runtime.failures import was_ordered
from runtime.gateway.bodies import BodyUnreadable, Context, MethodCodec
from runtime.gateway.calls.calls_of import CallsOf
from runtime.gateway.codes import CallFailed, code_of, pushback_of, told_to_clients
from runtime.ports import Fact, Ports

__all__ = [
    "CALL_DEFAULT_S",
    "CallBroken",
    "CallFailed",
    "CallServed",
    "CallUnreadable",
    "Context",
    "EdgeInterceptor",
    "code_of",
    "time_left_s",
    "traceparent",
]

CALL_DEFAULT_S = 30.0
"""How long a call may take that has no deadline of its own, or a later one."""

_TEXT_MAX = (600, 450, 330, 240)  # characters of an error: the most of them that fit into _TEXT_BYTES_MAX
_TEXT_BYTES_MAX = 3_000  # of them in the header, where a character takes up to 12
_AS_THEY_ARE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")  # in a header of gRPC

_Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"  # generic in its stubs only


@dataclass(frozen=True, slots=True)
class CallServed(Fact):
    level: ClassVar[str] = "debug"
    method: str
    code: str
    took_s: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class CallUnreadable(CallServed):
    """A client sent what is no message: it uses other definitions than this node, or is no client of ours."""

    level: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class CallBroken(Fact):
    """A bug, or a store that needs an operator: what the client was told is in the log under this id."""

    level: ClassVar[str] = "error"
    method: str
    id: str
    error: BaseException


def time_left_s(context: Context) -> float:
    """Seconds that this call may still take."""
    left_s: float | None = context.time_remaining()
    return CALL_DEFAULT_S if left_s is None else min(left_s, CALL_DEFAULT_S)


def traceparent(context: Context) -> str:
    """The W3C trace context that the client sent; empty if none."""
    for name, value in context.invocation_metadata() or ():
        if name == "traceparent" and isinstance(value, str):
            return value
    return ""


class EdgeInterceptor(grpc.aio.ServerInterceptor):
    """Wraps each method once; per call it costs two clock readings and a fact."""

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self._wrapped: dict[str, tuple[_Handler, _Handler]] = {}  # by method; bounded by what is registered

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[_Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> _Handler | None:
        handler: Any = await continuation(handler_call_details)
        if handler is None or (handler.request_streaming and handler.request_deserializer is None):
            return cast("_Handler | None", handler)
        if isinstance(handler.stream_stream, CallsOf):
            return cast("_Handler", handler)  # each of its calls comes by here
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = (handler, self._wrap(handler, method))
        return known[1]

    def _wrap(self, handler: Any, method: str) -> _Handler:
        serve = next(
            one
            for one in (handler.unary_unary, handler.unary_stream, handler.stream_unary, handler.stream_stream)
            if one is not None
        )
        read, write = handler.request_deserializer or bytes, handler.response_serializer or bytes
        codec = MethodCodec(method, read, write, handler.request_streaming, handler.response_streaming)
        guarded = self._streaming(serve, codec) if handler.response_streaming else self._unary(serve, codec)
        return _MAKERS[handler.request_streaming, handler.response_streaming](guarded)

    def _unary(self, serve: Callable[[Any, Context], Awaitable[Any]], codec: MethodCodec) -> Callable[..., Any]:
        async def guarded(request: Any, context: Context) -> Any:
            began_s = self._ports.clock.monotonic_s()
            try:
                response = codec.write(await serve(codec.request(request), codec.context(request, context)))
            except grpc.aio.AbortError:
                raise
            except BaseException as error:
                if was_ordered(error):
                    raise
                return await self._abort(context, codec.method, began_s, error)
            self._ports.report(CallServed(codec.method, "OK", self._ports.clock.monotonic_s() - began_s))
            return response

        return guarded

    def _streaming(
        self, serve: Callable[[Any, Context], AsyncIterator[Any] | Awaitable[None]], codec: MethodCodec
    ) -> Callable[..., Any]:
        async def guarded(request: Any, context: Context) -> AsyncIterator[Any]:
            began_s = self._ports.clock.monotonic_s()
            sending = False
            try:
                served = serve(codec.request(request), codec.context(request, context))
                if isinstance(served, Awaitable):
                    await served  # it writes its responses to its context
                else:
                    async for response in served:
                        encoded = codec.write(response)
                        sending = True
                        yield encoded
                        sending = False
            except grpc.aio.AbortError:
                raise
            except BaseException as error:
                if sending or was_ordered(error):  # The client has gone, or the server goes.
                    raise
                await self._abort(context, codec.method, began_s, error)
            self._ports.report(CallServed(codec.method, "OK", self._ports.clock.monotonic_s() - began_s))

        return guarded

    async def _abort(self, context: Context, method: str, began_s: float, error: BaseException) -> None:
        """Ends the call with the error's code. Always raises, as grpc wants it."""
        code, text = told_to_clients(error)
        if code is grpc.StatusCode.INTERNAL:
            id = self._ports.ids.new_id().hex()
            self._ports.report(CallBroken(method, id, error))
            text = f"{text if isinstance(error, AmendsError) else 'internal error'} (in the node's log under {id})"
        fact = CallUnreadable if isinstance(error, BodyUnreadable) else CallServed
        self._ports.report(fact(method, code.name, self._ports.clock.monotonic_s() - began_s, text))
        if pushback := pushback_of(error):
            context.set_trailing_metadata((*(context.trailing_metadata() or ()), *pushback))
        try:
            await context.abort(code, _short(text))
        except grpc.aio.AbortError:
            raise
        except Exception as gone:
            raise asyncio.CancelledError from gone


def _short(text: str) -> str:
    """A text travels in a header, beside what a method adds; above 8 KiB in all gRPC breaks the stream."""
    shown = text
    for most in _TEXT_MAX:
        shown = text if len(text) <= most else f"{text[: most * 2 // 3 - 10]} [...] {text[-(most // 3) :]}"
        if len(quote(shown, safe=_AS_THEY_ARE, errors="replace")) <= _TEXT_BYTES_MAX:
            break
    return shown


_MAKERS: dict[tuple[bool, bool], Callable[..., _Handler]] = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}
