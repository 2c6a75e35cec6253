"""For one mutant: a helper outside of the node's event loop renews its lease, as a thread would."""

from __future__ import annotations

import asyncio
from contextvars import Context, copy_context
from typing import cast

from runtime.errors import StoreError
from runtime.store.port import Store
from runtime.testing.virtual.loop import Killed, SimLoop, check_alive
from runtime.testing.virtual.machine import SimTasks

__all__ = ["renew_beside"]


def renew_beside(store: Store, name: str, incarnation: str, *, lease_s: float, every_s: float) -> None:
    """Renew until the calling process is dead, even while that process is frozen."""
    loop = cast("SimLoop", asyncio.get_running_loop())
    process = copy_context()
    tasks = SimTasks(loop)

    async def renew() -> None:
        try:
            await store.renew(name, incarnation, lease_s=lease_s)
        except StoreError:
            pass  # The next renewal may work.

    def tick() -> None:
        try:
            process.copy().run(check_alive)
        except Killed:
            return
        tasks.start(renew(), name=f"lease of {name}")
        loop.call_later(every_s, tick, context=Context())

    loop.call_later(every_s, tick, context=Context())
