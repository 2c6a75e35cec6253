"""A command line of ours on a real terminal: a pseudo-terminal that a test types into and reads from."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Terminal", "terminal"]

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_WITHIN_S = 20.0


class Terminal:
    """`text` is all that was written, with the escapes by which a screen is drawn."""

    def __init__(self, process: subprocess.Popen[bytes], number: int) -> None:
        self.process = process
        self.text = ""
        self._number = number

    @property
    def words(self) -> str:
        """What a person could read of all that was drawn."""
        return _ESCAPES.sub("", self.text)

    def until(self, words: str) -> None:
        """Read until they were drawn, since the terminal was opened."""
        self._read(lambda: words in self.words, words)

    def drawn_again(self) -> None:
        """Read until the screen was drawn once more."""
        drawn = self.text.count("q ends")
        self._read(lambda: self.text.count("q ends") > drawn, "another drawing")

    def press(self, keys: str) -> None:
        os.write(self._number, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._number, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def ended(self) -> int:
        """Read to the end; the exit code."""
        self._read(lambda: self.process.poll() is not None, "its end")
        self._take()
        return self.process.wait()

    def echoes(self) -> bool:
        """Whether what is typed is shown, as in every shell."""
        return bool(termios.tcgetattr(self._number)[3] & termios.ECHO)

    def _read(self, is_there: object, what: str) -> None:
        assert callable(is_there)
        ends_s = time.monotonic() + _WITHIN_S
        while not is_there():
            assert time.monotonic() < ends_s, f"there was no {what!r} in:\n{self.words}"
            self._take()

    def _take(self) -> None:
        ready, _, _ = select.select([self._number], [], [], 0.05)
        if ready:
            try:
                self.text += os.read(self._number, 65_536).decode(errors="replace")
            except OSError:  # the other end is closed
                self.process.wait(_WITHIN_S)


@contextmanager
def terminal(*command: str, cwd: Path) -> Iterator[Terminal]:
    """Runs Python with these arguments as the one program of a new terminal of 40 lines."""
    ours, theirs = os.openpty()
    fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 150, 0, 0))

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    # Workers of pytest-xdist have both, and they would count for more than what the terminal says.
    without_sizes = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=cwd,
        start_new_session=True,
        preexec_fn=take_terminal,
        env={**without_sizes, "TERM": "xterm-256color"},
    )
    try:
        yield Terminal(process, ours)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        os.close(theirs)
        os.close(ours)
