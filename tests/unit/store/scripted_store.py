"""A memory store that fails as told: each commit and each question takes the next line of its script."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from runtime.adapters import system_ports
from runtime.errors import CommitUnknown, StoreError
from runtime.ports import Ports
from runtime.store.batch import Batch
from runtime.store.groups import Unit
from runtime.store.memory import MemoryStore
from runtime.store.records import Verdict

__all__ = ["LOST_AFTER", "LOST_BEFORE", "ScriptedStore"]

LOST_BEFORE = CommitUnknown("the connection broke before the commit")
LOST_AFTER = CommitUnknown("the connection broke behind the commit")


class ScriptedStore(MemoryStore):
    """`commits` and `answers` hold errors to raise, in order; None lets the call through, and so does an empty list."""

    def __init__(self, ports: Ports | None = None) -> None:
        super().__init__(ports or system_ports())
        self.commits: list[Exception | None] = []
        self.answers: list[StoreError | None] = []
        self.batches: list[int] = []  # sizes
        self.gate: asyncio.Event | None = None  # commits wait for it
        self.tops_up = False  # behind the gate, take what has come meanwhile

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        self.batches.append(len(batch))
        if self.gate is not None:
            await self.gate.wait()
        if self.tops_up and isinstance(batch, Batch):
            batch.top_up()
            self.batches[-1] = len(batch)
        error = self.commits.pop(0) if self.commits else None
        if error is None:
            return await super().commit(batch)
        if error is LOST_AFTER:
            await super().commit(batch)
        raise error

    async def settle(self, batch: Sequence[Unit]) -> list[bool]:
        error = self.answers.pop(0) if self.answers else None
        if error is not None:
            raise error
        return await super().settle(batch)
