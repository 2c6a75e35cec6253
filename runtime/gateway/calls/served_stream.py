"""A node's end of one stream of calls: each call is a task, and whatever is answered by then goes into one frame.

    frame ──▶ reader ──each call──▶ the method, with all that a unary call passes through ──▶ answer
    answers that wait ──wake──▶ writer ──frame──▶ the client     (no timer: the write under way is the window)

A call counts until its answer is put into a frame. A client that does not read makes the writer wait, then its calls
find no room, and in the end nothing more is read from it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import grpc
import grpc.aio

from runtime.durations import SPAN_MAX_S
from runtime.errors import InvalidMessage, LinkLost
from runtime.gateway.calls.frames import FRAME_BYTES_MAX, CallLimits, check_calls, how_many_fit, read_calls
from runtime.gateway.calls.served_call import Opened, StreamedCall
from runtime.ports import Cancellable, Fact, Link, Ports
from runtime.protos import calls_pb2
from runtime.record import record

__all__ = ["CallCount", "CallStreamEnded", "CallStreamOpened", "CallStreamRefused", "FindMethod", "ServedStream"]

FindMethod = Callable[[str, Any], Awaitable[Any]]
"""Finds the handler of a method for a call with this metadata, behind all interceptors; None: there is none."""

_OWN_WORD_S = 0.25  # a method that ends by itself at its deadline says more than this stream can


@dataclass(frozen=True, slots=True)
class CallStreamRefused(Fact):
    """A client broke the rules of a stream of calls. What is under way is answered, and then the stream is ended."""

    level: ClassVar[str] = "warning"
    peer: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallStreamOpened(Fact):
    """A client may send many calls over one stream from here on."""

    level: ClassVar[str] = "debug"
    peer: str


@dataclass(frozen=True, slots=True)
class CallStreamEnded(Fact):
    """How many calls a stream has carried, and in how many frames they came."""

    level: ClassVar[str] = "debug"
    peer: str
    calls: int
    frames: int


@dataclass(slots=True)
class CallCount:
    """Calls of all streams of a node that have no answer yet."""

    now: int = 0


@record(frozen=True, slots=True)
class _UnderWay:
    task: asyncio.Task[Any]
    seen: StreamedCall
    expiry: Cancellable | None


class ServedStream:
    """`run` it once. `leave` has its client go elsewhere with new calls."""

    def __init__(
        self,
        link: Link,
        opened: Opened,
        ports: Ports,
        limits: CallLimits,
        find: FindMethod,
        count: CallCount,
        method: str,
    ) -> None:
        """`method` is the one that calls are for which name none."""
        self._link = link
        self._opened = opened
        self._ports = ports
        self._limits = limits
        self._find = find
        self._count = count
        self._method = method
        self._under_way: dict[int, _UnderWay] = {}
        self._answers: deque[calls_pb2.CallAnswer] = deque()
        self._unread_bytes = 0  # of answers that are not yet put into a frame
        self._last_id = 0
        self._calls = self._frames = 0  # that have come
        self._goodbye = ""
        self._idle: asyncio.Future[None] | None = None  # the writer waits on it
        self._crowded: asyncio.Future[None] | None = None  # the reader waits on it
        self._is_last = False  # nothing more is taken from the client: the stream ends once all is answered
        self._is_over = False

    @property
    def is_crowded(self) -> bool:
        """Whether nothing is read from the client before it reads more itself."""
        return self._crowded is not None and not self._crowded.done()

    def leave(self, reason: str) -> None:
        """Tell the client to begin no more calls here. Those under way are answered."""
        self._goodbye = self._goodbye or reason
        self._wake()

    def finish(self) -> None:
        """End the stream as soon as all calls that are under way are answered."""
        self._is_last = True
        self._wake()

    async def run(self) -> str:
        """Serve until the client has ended the stream, or it is lost; why it was refused, empty if it was not."""
        self._ports.report(CallStreamOpened(self._opened.peer))
        writer = self._ports.tasks.start(self._write(), name="answers of a stream")
        refusal = ""
        try:
            refusal = await self._read()
            if refusal:
                self._ports.report(CallStreamRefused(self._opened.peer, refusal))
            self.finish()
            await writer
        except LinkLost:
            pass  # The client asks elsewhere for what it has no answer of.
        finally:
            self.end()
            await writer
            self._ports.report(CallStreamEnded(self._opened.peer, self._calls, self._frames))
        return refusal

    def end(self) -> None:
        """The link is over: break off what is under way, since nobody hears of it any more."""
        self._is_over = True
        for one in self._under_way.values():
            self._forget(one)
            one.task.cancel()
        self._under_way.clear()
        self._wake()

    # --- calls ---

    async def _read(self) -> str:
        while True:
            while self._unread_bytes > self._limits.unread_bytes_max and not self._is_over:
                self._crowded = self._ports.tasks.new_future()
                await self._crowded
            encoded = await self._link.receive()
            if encoded is None:
                return ""
            if self._is_last:
                continue  # The client had its goodbye, and asks again on another stream.
            try:
                self._take(read_calls(encoded))
            except InvalidMessage as error:
                return str(error)

    def _take(self, frame: calls_pb2.Calls) -> None:
        under_way = len(self._under_way) + len(self._answers)
        self._last_id = check_calls(frame.calls, self._last_id, under_way, self._limits.calls_max)
        self._frames += 1
        self._calls += len(frame.calls)
        for call in frame.calls:
            self._begin(call)
        for id in frame.cancelled:
            self._break_off(id, grpc.StatusCode.CANCELLED, "its caller has cancelled the call")

    def _begin(self, call: calls_pb2.Call) -> None:
        seen = StreamedCall(call, self._opened, self._ports.clock)
        if self._count.now >= self._limits.all_calls_max:
            text = f"{self._count.now} calls are under way at this node, which takes no more; try again later"
            self._answer(seen.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, text))
            return
        self._count.now += 1
        expiry = None
        if call.timeout_s:
            ends_s = min(call.timeout_s + _OWN_WORD_S, SPAN_MAX_S)
            late = grpc.StatusCode.DEADLINE_EXCEEDED, "the call has no answer within its time"
            expiry = self._ports.clock.call_later(ends_s, self._break_off, call.id, *late)
        task = self._ports.tasks.start(self._serve(call, seen), name="call of a stream")
        self._under_way[call.id] = _UnderWay(task, seen, expiry)

    async def _serve(self, call: calls_pb2.Call, seen: StreamedCall) -> None:
        answer = None
        try:
            method = call.method or self._method
            handler = await self._find(method, seen.invocation_metadata())
            if handler is None or handler.unary_unary is None:
                answer = seen.refused(grpc.StatusCode.UNIMPLEMENTED, _no_method(method, handler is None))
            else:
                answer = seen.answer(await handler.unary_unary(call.request, seen))
        except grpc.aio.AbortError:
            answer = seen.answer(b"")
        finally:
            if (one := self._under_way.pop(call.id, None)) is not None:
                self._forget(one)
                self._answer(answer or seen.refused(grpc.StatusCode.INTERNAL, "the call was broken off in its node"))

    def _break_off(self, id: int, code: grpc.StatusCode, text: str) -> None:
        """Answer a call before its method does. What the method has begun in the store is not broken off."""
        if (one := self._under_way.pop(id, None)) is not None:
            self._forget(one)
            one.task.cancel()
            self._answer(one.seen.refused(code, text))

    def _forget(self, one: _UnderWay) -> None:
        self._count.now -= 1
        if one.expiry is not None:
            one.expiry.cancel()

    # --- answers ---

    def _answer(self, answer: calls_pb2.CallAnswer) -> None:
        self._answers.append(answer)
        self._unread_bytes += len(answer.response)
        self._wake()

    async def _write(self) -> None:
        try:
            await self._write_all()
            await self._link.close()
        except LinkLost:
            self.end()

    async def _write_all(self) -> None:
        limits = self._limits
        said = calls_pb2.Answers(calls_max=limits.calls_max, frame_bytes_max=limits.frame_bytes_max)
        has_said_goodbye = False
        while True:
            if self._goodbye and not has_said_goodbye:
                said.goodbye, has_said_goodbye = self._goodbye, True
            self._fill(said)
            if said.ByteSize():
                await self._link.send(said.SerializeToString())
                said = calls_pb2.Answers()
            elif self._is_over or (self._is_last and not self._under_way):
                return
            else:
                self._idle = self._ports.tasks.new_future()
                await self._idle

    def _fill(self, frame: calls_pb2.Answers) -> None:
        answers = self._answers
        for _ in range(how_many_fit(answers, FRAME_BYTES_MAX, len(answers))):
            answer = answers.popleft()
            self._unread_bytes -= len(answer.response)
            frame.answers.append(answer)
        _go_on(self._crowded)

    def _wake(self) -> None:
        _go_on(self._idle)
        if self._is_over:
            _go_on(self._crowded)


def _go_on(waits: asyncio.Future[None] | None) -> None:
    if waits is not None and not waits.done():
        waits.set_result(None)


def _no_method(method: str, is_unknown: bool) -> str:
    if is_unknown:
        return f"this node has no method {method!r}; a call names /package.Service/Method"
    return f"{method} takes or gives a stream, and is called by itself"
