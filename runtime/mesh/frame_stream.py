"""One link after the handshake: one task writes, one reads, and nobody else touches it.

    push ──▶ SendQueue ──wake──▶ writer: everything that waits ──frame──▶ link     (no timer: the await is the window)
    link ──frame──▶ reader ──▶ take ──▶ credit, said by the writer
    beat (from the mesh's clock) ──▶ the writer sends one; too many without a frame from there end the link

A link is never torn from under a waiting read or write by cancelling it: it is closed, and both end with LinkLost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from runtime.backoff import Backoff
from runtime.errors import InvalidMessage, LinkLost
from runtime.failpoints import Failpoint
from runtime.mesh.facts import FrameRejected
from runtime.mesh.frames import FRAME_MESSAGES_MAX, decode_frame, message_room
from runtime.mesh.send_queue import SendQueue
from runtime.ports import Link, Ports
from runtime.protos import mesh_pb2

__all__ = ["FrameStream", "MeshSettings", "Take"]

Take = Callable[[mesh_pb2.Frame], Awaitable[None]]
"""Handles the pushes and signals of one frame. The next frame is read when it returns."""

_REDIAL = Backoff(0.0375, 1.5, jitter=1 / 3)  # 25 to 50 ms at first, and 1 to 2 s in the end


@dataclass(frozen=True, slots=True)
class MeshSettings:
    """Timing and limits of the links of one node. With these, a node holds at most about 4 MiB for each slow peer."""

    beat_s: float = 1.0
    silent_s: float = 5.0  # a peer that says nothing for so long is lost
    hello_s: float = 5.0  # a handshake may take so long, connecting included
    goodbye_s: float = 1.0  # a peer may take so long to end the stream after a goodbye
    window_bytes: int = 4 * 1024 * 1024  # queued or under way, and not yet taken by the peer; more is shed
    queue_max: int = 32_768  # messages queued for one peer; more are shed
    frame_messages_max: int = FRAME_MESSAGES_MAX  # messages in one frame; more wait for the next frame
    frame_bytes_max: int = 2 * 1024 * 1024  # largest frame that this node takes; peers shed what would be larger
    redial: Backoff = _REDIAL  # pauses after a link broke
    refused_s: float = 15.0  # pause after a refusal, which only a new configuration will change


class FrameStream:
    """One end of a link between two nodes that have said hello."""

    def __init__(
        self,
        peer: str,
        link: Link,
        ports: Ports,
        settings: MeshSettings,
        take: Take | None = None,
        frame_bytes_max: int = 0,  # largest frame that the other side takes; 0 when it did not say
    ) -> None:
        self._peer = peer
        self._link = link
        self._ports = ports
        self._settings = settings
        self._take = take  # None: this end takes no pushes and signals
        self._idle: asyncio.Future[None] | None = None  # the writer waits on it
        self._ended = False
        self._taking = False
        self._silent_beats = 0
        self._beats = 0
        self._beats_sent = 0
        self._taken_bytes = 0
        self._told_bytes = 0  # how many of the taken bytes the other side knows of
        self._goodbye = ""
        self._has_said_goodbye = False
        self.queue = SendQueue(
            settings.window_bytes, settings.queue_max, settings.frame_messages_max, message_room(frame_bytes_max)
        )
        self.reason = ""  # why it ended
        self.last_beat_at_s = ports.clock.now_s()  # when the other side was last heard of

    # --- for the mesh ---

    def push(self, encoded: bytes) -> bool:
        """See SendQueue.push."""
        accepted = self.queue.push(encoded)
        idle = self._idle
        if idle is not None and not idle.done():
            idle.set_result(None)
        return accepted

    def signal(self, encoded: bytes) -> bool:
        """See SendQueue.signal."""
        accepted = self.queue.signal(encoded)
        self._wake()
        return accepted

    def request_resync(self) -> None:
        """Tell the other side that pushes were missed, before anything that is pushed from now on."""
        self.queue.missed_pushes = True
        self._wake()

    def beat(self) -> None:
        """One tick of the mesh's clock.

        Silence is counted in ticks rather than seconds: if this process was frozen, the ticks were too, and what the
        other side said meanwhile is read before it is called lost.
        """
        self._beats += 1
        self._wake()
        if self._taking:
            return  # Nobody listened meanwhile, so silence tells nothing.
        self._silent_beats += 1
        if (self._silent_beats - 1) * self._settings.beat_s >= self._settings.silent_s:
            self.drop(f"not heard of for {self._settings.silent_s:g} s")

    def leave(self, reason: str) -> None:
        """End the stream after what is queued, with a goodbye; the other side has `goodbye_s` to end it."""
        if not self._goodbye:
            self._goodbye = reason
            self._wake()
            self._ports.clock.call_later(self._settings.goodbye_s, self.drop, reason)

    def drop(self, reason: str) -> None:
        """End the stream now."""
        if not self._ended:
            self._end(reason)
            self._ports.tasks.start(self._link.close(), name="close a link")

    async def run(self) -> None:
        """Read and write until either side ends the stream; `reason` then says why."""
        writer = self._ports.tasks.start(self._write(), name="mesh writer")
        try:
            self._end(await self._read())
        except LinkLost as error:
            self._end(self._goodbye or str(error))
        finally:
            self._end("the node stops")
            await self._link.close()
            await writer

    # --- the two tasks ---

    async def _read(self) -> str:
        while True:
            encoded = await self._link.receive()
            self._silent_beats = 0
            if encoded is None:
                return self._goodbye or "the other side ended the stream"
            if self._goodbye:
                continue  # The other side is being told that this one goes. Nothing more is taken from it.
            try:
                frame = self._checked(encoded)
            except InvalidMessage as error:
                self._ports.report(FrameRejected(self._peer, str(error)))
                self.leave(str(error))
                continue
            self._ports.failpoint(Failpoint.FRAME_RECEIVED)
            if frame.goodbye:
                return frame.goodbye
            await self._handle(frame)

    def _checked(self, encoded: bytes) -> mesh_pb2.Frame:
        frame = decode_frame(encoded)
        if frame.HasField("hello") or frame.proof:
            raise InvalidMessage("a hello comes first on a stream, then a proof, and each once")
        if self._take is None and (frame.pushes or frame.signals):
            raise InvalidMessage("messages travel on the stream that their sender dialled")
        return frame

    async def _handle(self, frame: mesh_pb2.Frame) -> None:
        if frame.taken_bytes:
            self.queue.credited(frame.taken_bytes)
        if frame.beat:
            self.last_beat_at_s = self._ports.clock.now_s()
        if self._take is not None and (frame.pushes or frame.signals or frame.gap):
            self._taking = True
            await self._take(frame)
            self._taking = False
            self._ports.failpoint(Failpoint.PUSHES_TAKEN)
            self._taken_bytes += sum(map(len, frame.pushes)) + sum(map(len, frame.signals))
            if self._owes_credit():
                self._wake()

    async def _write(self) -> None:
        try:
            while not self._ended:
                encoded = self._next_frame()
                if encoded is None:
                    self._idle = self._ports.tasks.new_future()
                    await self._idle
                    self._idle = None
                else:
                    self._ports.failpoint(Failpoint.FRAME_MADE)
                    await self._link.send(encoded)
                    self._ports.failpoint(Failpoint.FRAME_SENT)
        except LinkLost as error:
            self.drop(str(error))

    def _next_frame(self) -> bytes | None:
        if self._has_said_goodbye:
            return None
        frame = mesh_pb2.Frame()
        if not self.queue.fill(frame) and self._beats == self._beats_sent and not self._owes_credit():
            if not self._goodbye:
                return None
            self._has_said_goodbye = True
            frame.goodbye = self._goodbye
        if self._beats > self._beats_sent:
            frame.beat = self._beats_sent = self._beats
        if self._taken_bytes > self._told_bytes:
            frame.taken_bytes = self._told_bytes = self._taken_bytes
        return frame.SerializeToString()

    def _owes_credit(self) -> bool:
        return (self._taken_bytes - self._told_bytes) * 8 >= self._settings.window_bytes

    def _wake(self) -> None:
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _end(self, reason: str) -> None:
        self.reason = self.reason or reason
        self._ended = True
        self._wake()
