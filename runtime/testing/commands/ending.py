"""How a long command ends on a signal: it still tells what it has found.

    SIGTERM, SIGINT, SIGHUP ──▶ Ending ◀──has it come?── search, seeds, hunts, power cuts
                                   └──exit code──▶ 128 + the signal's number

The first signal is only noted, since whatever runs then may be in the middle of its work. A second signal ends the
process at once. A signal that the process ignores stays ignored, such as SIGHUP under nohup.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType
from typing import Any

import click

__all__ = ["EndedBySignal", "Ending"]

_HEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class EndedBySignal(Exception):
    """A signal told the command to end. The work that raises this is left unfinished."""


class Ending:
    """Listens for signals while it is entered. It works in the main thread alone; in another one it hears nothing."""

    def __init__(self) -> None:
        self.signal = 0  # The number of the signal that came; 0 while none has come.
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Ending:
        with suppress(ValueError):  # This is not the main thread.
            for number in _HEEDED:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    @property
    def name(self) -> str:
        """The name of the signal that came; empty while none has come."""
        return signal.Signals(self.signal).name if self.signal else ""

    def check(self) -> None:
        """Raises EndedBySignal if a signal has come."""
        if self.signal:
            raise EndedBySignal(self.name)

    def say(self, done: int, planned: int, what: str) -> None:
        """Says on standard error how much was done, if a signal cut the work short."""
        if self.signal:
            click.echo(f"ended by {self.name} after {done:,} of {planned:,} {what}; the report covers these", err=True)

    def exit_code(self, otherwise: int) -> int:
        return 128 + self.signal if self.signal else otherwise

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        """Gives each signal its former handler. An interrupt gets the system's: Python's would show a traceback."""
        while self._before:
            number, before = self._before.popitem()
            interrupts = self.signal and before is signal.default_int_handler
            signal.signal(number, signal.SIG_DFL if interrupts else before)
