"""Lines of a log on their way to whoever reads them; who logs never waits for that.

    Log ──write──▶ queue, bounded ──thread──▶ file descriptor
                      └─ full: the line is dropped and counted, and the log says so once lines pass again

A reader that stalls (a pager, a full pipe, a terminal that was stopped) holds up the thread, and nobody else.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

__all__ = ["Lines"]

_LINES_MAX = 10_000
_CHARS_MAX = 4 * 1024 * 1024
_AT_ONCE = 100  # lines in one write


class Lines:
    """What a logger writes to. `told` is called on the thread, with the number of lines that were dropped before."""

    def __init__(self, out: TextIO, told: Callable[[int], None], *, lines_max: int = _LINES_MAX) -> None:
        self._descriptor = out.fileno()
        self._encoding = out.encoding or "utf-8"
        self._told = told
        self._lines_max = lines_max
        self._changed = threading.Condition()  # replay: of a real process; a simulated node has another log
        self._queue: deque[str] = deque()
        self._chars = 0
        self._dropped = 0
        self._under_way = False
        self._thread: threading.Thread | None = None

    def write(self, line: str) -> None:
        """Queue a line, or count it as dropped. Never waits for the reader."""
        with self._changed:
            if len(self._queue) >= self._lines_max or self._chars + len(line) > _CHARS_MAX:
                self._dropped += 1
                return
            self._queue.append(line)
            self._chars += len(line)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="log", daemon=True)  # replay: as above
                self._thread = thread
                thread.start()
            self._changed.notify_all()

    def flush(self) -> None:
        """As a file has it; what is queued is on its way."""

    def drain(self, within_s: float) -> bool:
        """Wait until all that was queued is written, for so long at most; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._queue and not self._under_way, within_s)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._under_way = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._queue)
                lines = [self._queue.popleft() for _ in range(min(len(self._queue), _AT_ONCE))]
                self._chars -= sum(map(len, lines))
                self._under_way = True
            passed = self._pass_on(lines)
            with self._changed:
                dropped, self._dropped = (self._dropped, 0) if passed else (0, self._dropped + len(lines))
            if dropped:
                self._told(dropped)

    def _pass_on(self, lines: list[str]) -> bool:
        """Write them, however long it takes; False if they cannot be written, as to a closed terminal or a full disk.

        Not by the stream's own buffer: its lock would be held meanwhile, and the process could not end.
        """
        left = memoryview("".join(lines).encode(self._encoding, "backslashreplace"))
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody has made the descriptor so
                select.select([], [self._descriptor], [])
            except OSError:
                return False
        return True
