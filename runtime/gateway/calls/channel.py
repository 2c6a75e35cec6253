"""A channel whose unary calls go over one stream when several are under way at once, and by themselves when one is.

    stub ──▶ CallsChannel ─┬─ one is under way ──────────▶ a unary call
                           └─ several ──▶ DialledStream ─▶ amends.ClientCalls.Open    (unary if there is no such method)

Any generated stub takes it in place of a channel. What a call raises is the same either way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import grpc
import grpc.aio

from runtime.adapters import ignore, system_ports
from runtime.gateway.calls.dialled_stream import DialledStream, StreamBroken
from runtime.gateway.calls.grpc_call_link import GrpcCallLink, broken
from runtime.gateway.tries import Tries
from runtime.ports import Ports
from runtime.protos import calls_pb2

__all__ = ["CallsChannel"]

_OPEN = "/amends.ClientCalls/Open"
_ASK_AGAIN_S = 60.0  # A server without streams is asked again after so long: it may have been replaced.
_LARGE_BYTES = 256 * 1024  # Calls of this size are no cheaper in company.
_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)  # of a stream that broke
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class CallsChannel(grpc.aio.Channel):
    """Wraps a channel. A call begins when it is awaited, and has no more than its result: no metadata, no cancel().

    With `patience_s` a call whose stream breaks is asked again on a new one for so long, within its own time. Only
    methods that may be repeated can be called so. Without, it raises what the stream ended with.
    """

    def __init__(self, channel: grpc.aio.Channel, *, patience_s: float = 0.0, ports: Ports | None = None) -> None:
        """`ports` are the machine's, unless they are given."""
        self._channel = channel
        self._ports = ports = ports or system_ports(ignore)
        self._patience_s = patience_s
        self._open: Any = channel.stream_stream(_OPEN)
        self._stream: DialledStream | None = None
        self._streams: dict[asyncio.Task[None], DialledStream] = {}
        self._unary_until_s = 0.0  # monotonic
        self._under_way = 0

    # --- calls ---

    async def call(self, method: _Method, request: Any, timeout: float | None, options: dict[str, Any]) -> Any:
        """Raises AioRpcError."""
        clock = self._ports.clock
        ends_s = float("inf") if timeout is None else clock.monotonic_s() + timeout
        self._under_way += 1
        try:
            if self._under_way > 1 and self._fits(options):
                encoded = method.encode(request)
                if len(encoded) < _LARGE_BYTES:
                    answer = await self._streamed(method.name, encoded, dict(options.get("metadata") or ()), ends_s)
                    if answer is not None and not answer.too_large:
                        return method.decode(answer)
                    timeout = None if timeout is None else max(ends_s - clock.monotonic_s(), 0.0)
            return await method.unary(request, timeout=timeout, **options)
        finally:
            self._under_way -= 1

    def _fits(self, options: dict[str, Any]) -> bool:
        """Whether a stream may have a call with these options: metadata of text, each name once."""
        if self._ports.clock.monotonic_s() < self._unary_until_s:
            return False
        if not options:
            return True
        metadata = tuple(options.get("metadata") or ())
        names = {name for name, value in metadata if isinstance(value, str)}
        return len(names) == len(metadata) and not any(options[name] for name in options if name != "metadata")

    async def _streamed(
        self, method: str, request: bytes, metadata: Mapping[str, str], ends_s: float
    ) -> calls_pb2.CallAnswer | None:
        """None: the server knows no streams of calls. Raises AioRpcError."""
        tries, has_moved = Tries(self._ports, self._patience_s), False
        while True:
            stream = self._stream
            if stream is None or not stream.takes_calls:
                stream = self._dial()
            try:
                return await stream.ask(method, request, metadata, ends_s)
            except StreamBroken as lost:
                error, is_sent = lost.error, lost.is_sent
            if not stream.has_begun and error.code() is grpc.StatusCode.UNIMPLEMENTED:
                self._unary_until_s = self._ports.clock.monotonic_s() + _ASK_AGAIN_S
                return None
            if stream.has_begun and not is_sent and not has_moved:
                has_moved = True  # The stream takes no more calls, and another one may.
            elif error.code() not in _AGAIN or not await tries.again(ends_s):
                raise error

    def _dial(self) -> DialledStream:
        self._stream = stream = DialledStream(GrpcCallLink(self._open()), self._ports)
        task = self._ports.tasks.start(stream.run(), name="stream of calls")
        self._streams[task] = stream
        task.add_done_callback(lambda _: self._streams.pop(task, None))
        return stream

    # --- a channel ---

    def unary_unary(  # type: ignore[override]  # what is returned is called and awaited, and nothing else
        self, method: str, request_serializer: Any = None, response_deserializer: Any = None, *rest: Any, **more: Any
    ) -> _Method:
        unary = self._channel.unary_unary(method, request_serializer, response_deserializer, *rest, **more)
        return _Method(self, method, request_serializer, response_deserializer, unary)

    def unary_stream(self, *arguments: Any, **options: Any) -> Any:
        return self._channel.unary_stream(*arguments, **options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Any:
        return self._channel.stream_unary(*arguments, **options)

    def stream_stream(self, *arguments: Any, **options: Any) -> Any:
        return self._channel.stream_stream(*arguments, **options)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:
        return self._channel.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._channel.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._channel.channel_ready()

    async def close(self, grace: float | None = None) -> None:
        for task, stream in list(self._streams.items()):
            stream.close()
            await task
        await self._channel.close(grace)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class _Method:
    """One method of a stub."""

    def __init__(self, channel: CallsChannel, name: str, encode: Any, decode: Any, unary: Any) -> None:
        self._channel = channel
        self.name = name
        self.encode = encode
        self.unary = unary
        self._decode = decode

    async def __call__(self, request: Any, *, timeout: float | None = None, **options: Any) -> Any:
        """Raises AioRpcError."""
        return await self._channel.call(self, request, timeout, options)

    def decode(self, answer: calls_pb2.CallAnswer) -> Any:
        """The response. Raises AioRpcError, if it is a refusal."""
        if answer.code:
            code = _CODES.get(answer.code, grpc.StatusCode.UNKNOWN)
            raise broken(code, answer.text, answer.metadata.items())
        return self._decode(answer.response)
