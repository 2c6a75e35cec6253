"""What the parts of the conformance suite share: a fresh store for each test, on a clock that the test can move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

from runtime.adapters import system_ports
from runtime.ports import Ports
from runtime.store.groups import Unit
from runtime.store.port import Store
from runtime.store.records import Verdict
from runtime.testing.virtual.clock import VirtualClock

__all__ = ["ConformanceBase"]


class ConformanceBase:
    """Opens the stores. Each part of the suite derives from it."""

    clock: VirtualClock

    def open_stores(self, ports: Ports, count: int) -> AbstractAsyncContextManager[list[Store]]:
        """An empty store, opened `count` times, and removed afterwards. Whoever tests a store has to write this."""
        raise NotImplementedError

    async def let_pass(self, store: Store, time_s: float) -> None:
        """Let time go by for leases. A store with a clock of its own, which no test can move, overrides this."""
        self.clock.offset_s += time_s

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        async with self.stores(1) as stores:
            yield stores[0]

    @asynccontextmanager
    async def stores(self, count: int) -> AsyncIterator[list[Store]]:
        self.clock = VirtualClock(asyncio.get_running_loop())
        async with self.open_stores(replace(system_ports(), clock=self.clock), count) as stores:
            yield stores

    @staticmethod
    async def commit(store: Store, *batch: Unit) -> None:
        """Commits transitions that all have to go through."""
        verdicts = await store.commit(batch)
        assert verdicts == [Verdict.COMMITTED] * len(batch)

    @staticmethod
    async def one(store: Store, unit: Unit) -> Verdict:
        [verdict] = await store.commit([unit])
        return verdict
