"""What waits on one stream to become a frame.

    push, signal ──▶ SendQueue ──fill──▶ Frame ──▶ the stream's writer
    credit from the other side ──▶ SendQueue: room again

Everything in a send queue, and all that was sent but not yet taken by the other side, fits one window of credit. So a
peer that is slow to take costs a bounded amount of memory, and the writer never has to wait for credit: what does not
fit is shed when it is pushed, and the next frame says so. A message that the other side would not take as one frame is
shed in the same way, since it would break the stream each time.
"""

from __future__ import annotations

from collections import deque

from runtime.mesh.frames import FRAME_BYTES_MAX, FRAME_MESSAGES_MAX, message_room
from runtime.protos import mesh_pb2

__all__ = ["SendQueue"]


class SendQueue:
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
        "missed_pushes",
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
        self._open_bytes = 0  # bytes that were accepted and that the other side has not taken yet
        self._taken_bytes = 0  # bytes that the other side has taken since the stream began
        self._shedding = False
        self.missed_pushes = True  # nobody knows what was shed before this stream began
        self.sent = 0
        self.shed = 0

    @property
    def queued(self) -> int:
        return len(self._pushes) + len(self._signals)

    def push(self, encoded: bytes) -> bool:
        """Queue an encoded Envelope. False: shed, and the next frame tells of missed pushes."""
        size = len(encoded)
        if self._shedding:
            self._shedding = self._open_bytes * 2 > self._window_bytes or self.queued * 2 > self._queue_max
        if self._shedding or not self._fits(size):
            self._shedding = self._shedding or size <= self._message_bytes_max
            self.missed_pushes = True
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
        if not self.queued and not self.missed_pushes:
            return False
        frame.gap, self.missed_pushes = self.missed_pushes, False
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
        # Signals go first: they are few, somebody waits for each, and a flood of pushes must not hold them up.
        for queue, taken in ((self._signals, frame.signals), (self._pushes, frame.pushes)):
            while queue and room and (len(queue[0]) <= room_bytes or room == self._frame_messages_max):
                encoded = queue.popleft()
                taken.append(encoded)
                room -= 1
                room_bytes -= len(encoded)
                self._queued_bytes -= len(encoded)
