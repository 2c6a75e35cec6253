"""A process and the children that it has forked: killed, frozen and thawed together.

A server with a process for each connection is such a family. Children that fork children themselves are not.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

from runtime.testing.processes.kernel import children_of, has_ended, is_stopped
from runtime.testing.processes.process import NodeProcess, ProcessFailed

__all__ = ["freeze_family", "kill_family", "thaw_family"]

_WITHIN_S = 30.0  # A process that waits for a disk ends late.
_POLL_S = 0.0005


def kill_family(process: NodeProcess) -> None:
    """Ends all of them at once, as when their machine loses power. Returns when they are gone."""
    process.freeze()  # It can fork no more.
    children = children_of(process.pid)
    for pid in children:
        _send(pid, signal.SIGKILL)
    process.kill()
    _wait_until(lambda: all(has_ended(pid) for pid in children), f"the processes of {process.name} end")


def freeze_family(process: NodeProcess) -> None:
    """Stops all of them where they are. Their connections stay open, and are not answered until they are thawed."""
    process.freeze()
    children = children_of(process.pid)
    for pid in children:
        _send(pid, signal.SIGSTOP)
    _wait_until(lambda: all(is_stopped(pid) for pid in children), f"the processes of {process.name} stop")


def thaw_family(process: NodeProcess) -> None:
    """Lets all of them go on."""
    for pid in children_of(process.pid):
        _send(pid, signal.SIGCONT)
    process.thaw()


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass  # It has just ended by itself.


def _wait_until(condition: Callable[[], bool], what: str) -> None:
    give_up_at_s = time.monotonic() + _WITHIN_S
    while not condition():
        if time.monotonic() > give_up_at_s:
            raise ProcessFailed(f"not within {_WITHIN_S:g} s: {what}")
        time.sleep(_POLL_S)
