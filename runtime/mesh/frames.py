"""Frames, and what waits to become one.

    push, signal ──▶ Outbox ──fill──▶ Frame ──▶ the stream's writer
    credit from the other side ──▶ Outbox: room again

Everything in an outbox, and all that was sent but not yet taken by the other side, fits one window of credit. So a
peer that is slow to take costs a bounded amount of memory, and the writer never has to wait for credit: what does not
fit is shed when it is pushed, and the next frame says so. So it is with a message that the other side would not take as
one frame: it would break the stream each time.
"""

from __future__ import annotations

from collections import deque

from google.protobuf.message import DecodeError

from runtime.errors import InvalidMessage
from runtime.protos import mesh_pb2

__all__ = [
    "FRAME_BYTES_MAX",
    "FRAME_MESSAGES_MAX",
    "Outbox",
    "decode_frame",
    "goodbye_frame",
    "message_room",
    "without_body",
]

FRAME_BYTES_MAX = 256 * 1024  # one larger message is a frame by itself
FRAME_MESSAGES_MAX = 512

_WRAPPING_BYTES = 4096  # what a frame holds beside its messages, at most
_FRAME_BYTES_UNSAID = 1024 * 1024  # of a peer whose version does not say what it takes
_FAULT_SHOWN_MAX = 1000  # characters of the text of an answer that is too large


def decode_frame(encoded: bytes) -> mesh_pb2.Frame:
    """Raises InvalidMessage if the bytes are no frame."""
    try:
        return mesh_pb2.Frame.FromString(encoded)
    except DecodeError as error:
        raise InvalidMessage(f"{len(encoded)} bytes are no frame") from error


def goodbye_frame(reason: str) -> bytes:
    return mesh_pb2.Frame(goodbye=reason).SerializeToString()


def message_room(frame_bytes_max: int) -> int:
    """How large one message may be for a peer that takes frames of so many bytes; 0 when it does not say."""
    return (frame_bytes_max or _FRAME_BYTES_UNSAID) - _WRAPPING_BYTES


def without_body(signal: mesh_pb2.Signal) -> mesh_pb2.Signal | None:
    """What to say in place of a signal that cannot be sent: where to read in the store what it holds."""
    match signal.WhichOneof("signal"):
        case "answer":
            answer = signal.answer
            fault = answer.fault[:_FAULT_SHOWN_MAX]
            return mesh_pb2.Signal(answer=mesh_pb2.Answer(call=answer.call, fault=fault, message=answer.message))
        case "changed":
            changed = signal.changed
            return mesh_pb2.Signal(look=mesh_pb2.Look(address=changed.address, revision=changed.revision))
        case _:
            return None


class Outbox:
    """What waits on one stream. Pushes keep their order among each other, and so do signals.

    `window_bytes` bounds what is queued or under way, `queue_max` what is queued. A message larger than the window
    goes when it is alone, else it never would; one of more than `message_bytes_max` never goes. Once a push was shed
    for want of room, pushes are shed until half of both is free: a flood then costs the receiver one sweep for each
    half window instead of one for each frame.
    """

    __slots__ = (
        "_frame_bytes_max",
        "_frame_messages_max",
        "_message_bytes_max",
        "_open_bytes",
        "_pushes",
        "_queue_max",
        "_queued_bytes",
        "_shedding",
        "_signals",
        "_taken_bytes",
        "_window_bytes",
        "gap",
        "sent",
        "shed",
    )

    def __init__(
        self,
        window_bytes: int,
        queue_max: int,
        frame_messages_max: int = FRAME_MESSAGES_MAX,
        message_bytes_max: int = message_room(0),
    ) -> None:
        self._window_bytes = window_bytes
        self._message_bytes_max = message_bytes_max
        self._frame_bytes_max = min(FRAME_BYTES_MAX, message_bytes_max)
        self._frame_messages_max = frame_messages_max
        self._queue_max = queue_max
        self._pushes: deque[bytes] = deque()
        self._signals: deque[bytes] = deque()
        self._queued_bytes = 0
        self._open_bytes = 0  # accepted and not yet taken by the other side
        self._taken_bytes = 0  # by the other side, since the stream began
        self._shedding = False
        self.gap = True  # what was shed before this stream was there is unknown
        self.sent = 0
        self.shed = 0

    @property
    def queued(self) -> int:
        return len(self._pushes) + len(self._signals)

    def push(self, encoded: bytes) -> bool:
        """Queue an encoded Envelope. False: shed, and the next frame tells of a gap."""
        size = len(encoded)
        if self._shedding:
            self._shedding = self._open_bytes * 2 > self._window_bytes or self.queued * 2 > self._queue_max
        if self._shedding or not self._fits(size):
            self._shedding = self._shedding or size <= self._message_bytes_max
            self.gap = True
            self.shed += 1
            return False
        self._pushes.append(encoded)
        self._queued_bytes += size
        self._open_bytes += size
        return True

    def signal(self, encoded: bytes) -> bool:
        """Queue an encoded Signal. False: it is lost."""
        size = len(encoded)
        if not self._fits(size):
            self.shed += 1
            return False
        self._signals.append(encoded)
        self._queued_bytes += size
        self._open_bytes += size
        return True

    def credited(self, taken_bytes: int) -> None:
        """The other side has taken so many bytes since the stream began; never more than it was sent."""
        taken = min(taken_bytes - self._taken_bytes, self._open_bytes - self._queued_bytes)
        if taken > 0:
            self._taken_bytes += taken
            self._open_bytes -= taken

    def fill(self, frame: mesh_pb2.Frame) -> bool:
        """Move what waits into a frame, up to its limits. False if there is nothing worth a frame."""
        if not self.queued and not self.gap:
            return False
        frame.gap, self.gap = self.gap, False
        if self._queued_bytes <= self._frame_bytes_max and self.queued <= self._frame_messages_max:
            self._take_all(frame)
        else:
            self._take_some(frame)
        self.sent += len(frame.pushes) + len(frame.signals)
        return True

    def _fits(self, size: int) -> bool:
        if size > self._message_bytes_max:
            return False
        within = self._open_bytes + size <= self._window_bytes or not self._open_bytes
        return within and self.queued < self._queue_max

    def _take_all(self, frame: mesh_pb2.Frame) -> None:
        frame.pushes.extend(self._pushes)
        frame.signals.extend(self._signals)
        self._pushes.clear()
        self._signals.clear()
        self._queued_bytes = 0

    def _take_some(self, frame: mesh_pb2.Frame) -> None:
        room_bytes, room = self._frame_bytes_max, self._frame_messages_max
        # Signals first: there are few, somebody waits for each, and a flood of pushes must not hold them up.
        for queue, taken in ((self._signals, frame.signals), (self._pushes, frame.pushes)):
            while queue and room and (len(queue[0]) <= room_bytes or room == self._frame_messages_max):
                encoded = queue.popleft()
                taken.append(encoded)
                room -= 1
                room_bytes -= len(encoded)
                self._queued_bytes -= len(encoded)
