"""A whole store goes from each engine to the next, and at the end it is what it was."""

from __future__ import annotations

from pathlib import Path

from runtime.adapters import system_ports
from runtime.operate.copying import copy_store
from runtime.store.memory import MemoryStore
from runtime.store.open import open_store
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.unit.operate.full_store import everything, fill


async def test_a_store_goes_through_all_engines_unchanged(tmp_path: Path, postgres_server: PostgresServer) -> None:
    first, last = MemoryStore(system_ports()), MemoryStore(system_ports())
    await fill(first)
    sqlite = open_store(f"sqlite:///{tmp_path}/between.db", system_ports())
    postgresql = open_store(f"{postgres_server.url}?schema=copies", system_ports())
    await sqlite.open()
    await postgresql.open()
    try:
        copied = await copy_store(first, postgresql, lambda *_: None)
        assert await copy_store(postgresql, sqlite, lambda *_: None) == copied
        assert await copy_store(sqlite, last, lambda *_: None) == copied
    finally:
        await postgresql.close()
        await sqlite.close()
    assert await everything(last) == await everything(first)
