"""Freezes a node at an instant at which it does not hold the lock of the file that all nodes share."""

from __future__ import annotations

import asyncio
import fcntl
import os
from pathlib import Path

from runtime.testing.processes.harness import NodeProcess

__all__ = ["freeze_between_commits"]


async def freeze_between_commits(node: NodeProcess, directory: Path) -> None:
    """Freeze a node whose store lies in `directory`.

    A node that is frozen during a commit stops all others from writing, which is a test of its own.
    """
    while not node.frozen:
        node.freeze()
        if not await _can_lock(directory):
            node.thaw()


async def _can_lock(directory: Path) -> bool:
    """Whether the lock comes free within a time in which live nodes release it many times."""
    lock = os.open(f"{directory / 'amends.db'}-lock", os.O_RDWR)
    try:
        for _ in range(100):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                await asyncio.sleep(0.002)
        return False
    finally:
        os.close(lock)
