"""A handler that waits for something: the task in which it goes on, and its end when its actor has to end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from runtime.failures import was_ordered
from runtime.ports import Cancellable, Clock

__all__ = ["Suspension", "raise_if_gone", "was_cut"]


class Suspension:
    """From the moment a handler was seen to be suspended until it ends."""

    __slots__ = ("_grace", "_report_cut", "_task", "is_cut")

    def __init__(self, task: asyncio.Task[Any], report_cut: Callable[[], None]) -> None:
        self._task = task
        self._report_cut = report_cut
        self._grace: Cancellable | None = None
        self.is_cut = False

    def give_grace(self, clock: Clock, shutdown_s: float) -> None:
        """Let the handler end by itself for so long, then cancel it. Of several calls the first counts."""
        if self._grace is None:
            self._grace = clock.call_later(shutdown_s, self._cut)

    def end(self) -> None:
        """The handler has ended; its task goes on with other work, as if it had not been cancelled."""
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        if self.is_cut:
            self._task.uncancel()
            self.is_cut = False

    def _cut(self) -> None:
        self.is_cut = True
        self._report_cut()
        self._task.cancel()


def raise_if_gone(error: BaseException) -> None:
    """Raise an exception on if its process has ended, or its coroutine was thrown away: no failure of a handler.

    Anything else is one, `sys.exit()` included. A cancellation is told apart by `was_cut`.
    """
    if not isinstance(error, asyncio.CancelledError) and was_ordered(error):
        raise error


def was_cut(suspension: Suspension | None) -> bool:
    """Whether a CancelledError that came out of a handler is the doing of `shutdown_s`, or a failure of the handler.

    Raises the cancellation again when it was meant for the whole task, as when the loop is closed.
    """
    if suspension is not None and suspension.is_cut:
        return True
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return False
