"""How a command of the client ends that a signal tells to: its call is left, and what it has found is told."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

__all__ = ["until_told"]

_HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def until_told(work: Coroutine[Any, Any, None], told: list[signal.Signals]) -> None:
    """Do the work until a signal cancels it, which is put into `told`; a second one ends the process at once.

    A signal that is ignored, as SIGHUP under nohup, stays ignored.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def hear(number: signal.Signals) -> None:
        told.append(number)
        for one in _HEEDED:
            loop.remove_signal_handler(one)
        task.cancel()

    for number in _HEEDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, hear, number)
    try:
        await work
    except asyncio.CancelledError:
        if not told:
            raise
