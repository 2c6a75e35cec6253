"""How a long command ends that a signal tells to end: it says what it has found until then.

    SIGTERM, SIGINT, SIGHUP ──▶ Ending ◀──has it come?── search, seeds, hunts, power cuts
                                   └──exit code──▶ 128 + the signal's number

The first signal is only noted: what runs at that moment may be in the middle of anything. A second one ends the process
at once, as if nobody listened. A signal that is ignored, as SIGHUP under nohup, stays ignored.
"""

from __future__ import annotations

import signal
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any

import click

__all__ = ["EndedBySignal", "Ending"]

_HEEDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class EndedBySignal(Exception):
    """The command was told to end, and the work that raises it is left unfinished."""


class Ending:
    """Listens for signals while it is entered. Of other threads than the first one it hears nothing."""

    def __init__(self) -> None:
        self.signal = 0  # that came; 0: none
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Ending:
        with suppress(ValueError):  # another thread than the first
            for number in _HEEDED:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._restore()

    @property
    def name(self) -> str:
        """Of the signal; empty when none came."""
        return signal.Signals(self.signal).name if self.signal else ""

    def check(self) -> None:
        """Raises EndedBySignal when a signal came."""
        if self.signal:
            raise EndedBySignal(self.name)

    def say(self, done: int, planned: int, what: str) -> None:
        """On standard error, that not all was done."""
        if self.signal:
            click.echo(f"ended by {self.name} after {done:,} of {planned:,} {what}; this is what was found", err=True)

    def exit_code(self, otherwise: int) -> int:
        return 128 + self.signal if self.signal else otherwise

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        """Whoever listened before listens again; Python's own way with an interrupt would be a traceback."""
        while self._before:
            number, before = self._before.popitem()
            interrupts = self.signal and before is signal.default_int_handler
            signal.signal(number, signal.SIG_DFL if interrupts else before)
