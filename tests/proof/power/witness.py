"""The real SQLite store on a disk whose power fails, with a witness that records what it promises."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runtime.errors import CommitUnknown, StoreError
from runtime.ports import Ports
from runtime.store.groups import Unit
from runtime.store.records import Verdict
from runtime.store.sqlite import SqliteStore
from tests.proof.power.books import Books

__all__ = ["WitnessedStore"]


class WitnessedStore(SqliteStore):
    """It adds only the witness: each call goes on to the store unchanged."""

    def __init__(self, path: Path, ports: Ports, books: Books, *, vfs: str, checkpoint_pages: int) -> None:
        super().__init__(path, ports, vfs=vfs, checkpoint_pages=checkpoint_pages)
        self._books = books

    async def open(self) -> None:
        await super().open()
        self._books.opened(self.cluster_id)

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        self._books.begins(batch)
        try:
            verdicts = await super().commit(batch)
        except CommitUnknown:
            raise  # The outcome is unknown to the witness as well, until it is settled.
        except StoreError:
            self._books.refused()
            raise
        await self._books.answered_with(batch, verdicts)
        return verdicts

    async def settle(self, batch: Sequence[Unit]) -> list[bool]:
        there = await super().settle(batch)
        await self._books.settled(batch, there)
        return there
