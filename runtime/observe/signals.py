"""How a signal ends a short command: its work is left where it is, and it says what it has found until then.

    until_told(coroutine)      SIGINT, SIGTERM, SIGHUP ──cancel──▶ the work ──▶ Ended, or what it makes of it
    ended_by_signals()         the same for work that is no coroutine: Ended is raised wherever it is

The first signal is heeded; a second one ends the process at once. One that is ignored, as SIGHUP under nohup, stays so.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn, TypeVar

__all__ = ["Ended", "ended_by_signals", "until_told"]

_HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_T = TypeVar("_T")


class Ended(BaseException):
    """A signal has told the command to end; `exit_code` is what shells make of that."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(f"ended by {number.name}")
        self.exit_code = 128 + number


async def until_told(work: Coroutine[Any, Any, _T], told: list[signal.Signals]) -> _T:
    """Do the work until a signal cancels it, which is put into `told`. Raises Ended, unless the work returns yet."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def hear(number: signal.Signals) -> None:
        told.append(number)
        for one in _HEEDED:
            loop.remove_signal_handler(one)
        task.cancel()

    for number in _HEEDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            with suppress(ValueError, RuntimeError):  # only the first thread hears signals
                loop.add_signal_handler(number, hear, number)
    try:
        return await work
    except asyncio.CancelledError:
        if told:
            raise Ended(told[0]) from None
        raise


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Raises Ended when a signal comes, so that what is half done is tidied up."""
    before: dict[signal.Signals, Any] = {}

    def restore() -> None:
        while before:
            number, handler = before.popitem()
            signal.signal(number, handler)

    def hear(number: int, _: FrameType | None) -> NoReturn:
        restore()
        raise Ended(signal.Signals(number))

    with suppress(ValueError):  # only the first thread hears signals
        for number in _HEEDED:
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, hear)
    try:
        yield
    finally:
        restore()
