"""A store that is there for one run of a demo or a bench, and gone after it.

async with throwaway_store("postgresql", say=print) as url:
    async with Harness(command=[...], store_url=url) as harness: ...
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from runtime.adapters import system_ports
from runtime.errors import InvalidSettings
from runtime.store.open import open_store
from runtime.testing.processes.postgresql.server import PostgresServer

__all__ = ["THROWAWAY_STORES", "throwaway_store"]

THROWAWAY_STORES = ("sqlite", "postgresql")


@asynccontextmanager
async def throwaway_store(kind: str, *, say: Callable[[str], object]) -> AsyncIterator[str]:
    """The URL of an empty store of this kind. `say` is told what takes long.

    Raises InvalidSettings for another kind, or if this machine lacks what the store needs.
    """
    if kind == "sqlite":
        with tempfile.TemporaryDirectory(prefix="amends-", ignore_cleanup_errors=True) as folder:
            yield f"sqlite:///{Path(folder) / 'amends.db'}"
    elif kind == "postgresql":
        server = PostgresServer(say=say)
        try:
            await open_store(server.url, system_ports(), create=False).close()  # Refuses what its driver lacks.
            await server.start()
            yield await server.create_database("amends")
        finally:
            server.close()
    else:
        raise InvalidSettings(f"there is no throwaway store {kind!r}; there are {', '.join(THROWAWAY_STORES)}")
