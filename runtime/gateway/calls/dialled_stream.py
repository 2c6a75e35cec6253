"""A client's end of one stream of calls: everything that is ready goes in one frame, and each call gets its own answer.

    ask ──▶ queue ──wake──▶ writer: as many as the node has room for ──frame──▶ the node
    answer ──▶ whoever asked; the room of a call is free again

    opening ──the node speaks──▶ open ──goodbye──▶ leaving ──all answered──▶ over
        └──────────────any error────────┴──────────────────────────────────────▶ over

Whoever has no answer when the stream is over gets StreamBroken. He may ask again on another stream.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from runtime.errors import LinkLost
from runtime.gateway.calls.frames import FRAME_BYTES_MAX, how_many_fit
from runtime.gateway.calls.grpc_call_link import broken
from runtime.ports import Cancellable, Ports
from runtime.protos import calls_pb2

__all__ = ["CallLink", "DialledStream", "StreamBroken"]


class StreamBroken(Exception):
    """A call has no answer and will get none on this stream: `error` is what the stream ended with."""

    def __init__(self, error: grpc.aio.AioRpcError, *, is_sent: bool) -> None:
        super().__init__(error.details())
        self.error = error
        self.is_sent = is_sent  # else the node has not seen it


@dataclass(slots=True)
class _Asked:
    """A call that waits for its answer."""

    call: calls_pb2.Call
    answer: asyncio.Future[calls_pb2.CallAnswer]
    ends_s: float  # monotonic; inf when its caller did not say
    expiry: Cancellable | None = None


class CallLink(Protocol):
    """The client's end of a stream. One reader and one writer at the most."""

    error: grpc.aio.AioRpcError | None  # by which it has ended

    async def send(self, frame: bytes) -> None:
        """Raises LinkLost."""
        ...

    async def receive(self) -> bytes | None:
        """None when the node has ended the stream. Raises LinkLost."""
        ...

    async def end(self) -> None:
        """Nothing more will be sent. Raises LinkLost."""
        ...

    def cancel(self) -> None:
        """Break the stream off; whoever waits on it gets LinkLost. Idempotent."""
        ...


class DialledStream:
    """Start `run` as a task; `ask` while `takes_calls`."""

    def __init__(self, link: CallLink, ports: Ports) -> None:
        self._link = link
        self._ports = ports
        self._queue: deque[_Asked] = deque()  # not sent yet
        self._sent: dict[int, _Asked] = {}
        self._cancelled: list[int] = []
        self._last_id = 0
        self._calls_max = 0
        self._frame_bytes_max = 0
        self._idle: asyncio.Future[None] | None = None  # the writer waits on it
        self._is_leaving = False
        self._is_over = False
        self.has_begun = False  # The node has spoken, so it knows streams of calls.

    @property
    def takes_calls(self) -> bool:
        return not self._is_leaving and not self._is_over

    def ask(
        self, method: str, request: bytes, metadata: Mapping[str, str], ends_s: float
    ) -> asyncio.Future[calls_pb2.CallAnswer]:
        """Queue a call. `ends_s` is monotonic; inf when the caller waits for however long it takes.

        The answer may be a refusal. Raises StreamBroken, and AioRpcError when the time is over.
        """
        call = calls_pb2.Call(method=method, request=request, metadata=metadata)
        asked = _Asked(call, self._ports.tasks.new_future(), ends_s)
        if ends_s < float("inf"):
            left_s = ends_s - self._ports.clock.monotonic_s()
            asked.expiry = self._ports.clock.call_later(max(left_s, 0.0), _expire, asked)
        self._queue.append(asked)
        asked.answer.add_done_callback(lambda _: self._settled(asked))
        self._wake()
        return asked.answer

    def close(self) -> None:
        """Cancel what is under way."""
        for asked in (*self._queue, *self._sent.values()):
            asked.answer.cancel()
        self._link.cancel()

    async def run(self) -> None:
        writer = None
        error = broken(grpc.StatusCode.UNAVAILABLE, "the node has ended the stream of calls")
        try:
            while (encoded := await self._link.receive()) is not None:
                self._take(calls_pb2.Answers.FromString(encoded))
                if writer is None:
                    writer = self._ports.tasks.start(self._write(), name="calls of a stream")
        except LinkLost:
            error = self._link.error or error
        except DecodeError:
            error = broken(grpc.StatusCode.INTERNAL, "what the server sends on a stream of calls cannot be read")
        finally:
            self._end(error)
            if writer is not None:
                await writer

    def _end(self, error: grpc.aio.AioRpcError) -> None:
        self._is_over = True
        self._link.cancel()
        for is_sent, all_asked in ((False, list(self._queue)), (True, list(self._sent.values()))):
            for asked in all_asked:
                if not asked.answer.done():
                    asked.answer.set_exception(StreamBroken(error, is_sent=is_sent))
        self._queue.clear()
        self._sent.clear()
        self._wake()

    # --- answers ---

    def _take(self, frame: calls_pb2.Answers) -> None:
        if not self.has_begun:
            self.has_begun = True
            self._calls_max, self._frame_bytes_max = max(frame.calls_max, 1), frame.frame_bytes_max
        for answer in frame.answers:
            asked = self._sent.pop(answer.id, None)
            if asked is not None and not asked.answer.done():
                asked.answer.set_result(answer)
        if frame.goodbye:
            self._is_leaving = True
            error = broken(grpc.StatusCode.UNAVAILABLE, frame.goodbye)
            for asked in self._queue:
                if not asked.answer.done():
                    asked.answer.set_exception(StreamBroken(error, is_sent=False))
            self._queue.clear()
        self._wake()

    def _settled(self, asked: _Asked) -> None:
        """The caller has what he will get, or waits no more."""
        if asked.expiry is not None:
            asked.expiry.cancel()
        if asked.call.id in self._sent:  # the node does not know that nobody waits any more
            self._cancelled.append(asked.call.id)
            self._wake()

    # --- calls ---

    async def _write(self) -> None:
        try:
            while not self._is_over:
                frame = self._next_frame()
                if frame is not None:
                    await self._link.send(frame)
                elif self._is_leaving and not self._sent:
                    await self._link.end()
                    return
                else:
                    self._idle = self._ports.tasks.new_future()
                    await self._idle
        except LinkLost:
            pass  # The reader has the error.

    def _next_frame(self) -> bytes | None:
        queue, now_s = self._queue, self._ports.clock.monotonic_s()
        while queue and queue[0].answer.done():
            queue.popleft()
        bytes_max = min(FRAME_BYTES_MAX, self._frame_bytes_max)
        count = how_many_fit((one.call for one in queue), bytes_max, self._calls_max - len(self._sent))
        if not count and not self._cancelled:
            return None
        frame = calls_pb2.Calls(cancelled=self._cancelled)
        self._cancelled = []
        for _ in range(count):
            asked = queue.popleft()
            if asked.answer.done():
                continue
            self._last_id = asked.call.id = self._last_id + 1
            if asked.ends_s < float("inf"):
                asked.call.timeout_s = max(asked.ends_s - now_s, 0.001)
            self._sent[asked.call.id] = asked
            frame.calls.append(asked.call)
        return frame.SerializeToString()

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)


def _expire(asked: _Asked) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(broken(grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"))
