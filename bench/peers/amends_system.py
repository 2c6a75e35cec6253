"""Amends, as `bench.orders` measures it with one node: all services in it, over SQLite or PostgreSQL."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version

import apsw

from bench.peers.environment import ROOT
from bench.peers.system import DurableSystem
from runtime.adapters import system_ports
from runtime.store.open import open_store
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.postgresql.server import PostgresServer

__all__ = ["AmendsOnPostgresql", "AmendsSystem"]

_NODE = "all"
_DATABASE = "bench"
_MAIL_MAX = 100_000
_ENDED = ("completed", "compensated")


class AmendsSystem(DurableSystem):
    """Over an SQLite file at synchronous=FULL. The file is the server: nothing else has to be started."""

    name = "amends"

    def __init__(self, server: str = "") -> None:
        super().__init__()
        self._store_url = self._make_store()
        self._harness = Harness(
            command=(sys.executable, str(ROOT / "node.py")),
            directory=self.directory,
            store_url=self._store_url,
            settings={"log_format": "json"},
        )

    def _make_store(self) -> str:
        return f"sqlite:///{self.directory / 'amends.db'}"

    @property
    def versions(self) -> dict[str, str]:
        return {"amends": version("amends"), "SQLite": apsw.sqlite_lib_version()}

    async def serve(self) -> None:
        """The file is there, or will be."""

    async def work(self) -> None:
        if _NODE in self._harness.nodes:
            await self._harness.restart(_NODE)
        else:
            await self._harness.start(_NODE)

    async def under_way(self) -> int:
        """Open sagas, and orders in the mail whose saga has not begun."""
        store = open_store(self._store_url, system_ports(), create=False, view=True)
        await store.open()
        rows = await store.actors("order-process", limit=_MAIL_MAX)
        mail = await store.every_mail(limit=_MAIL_MAX)
        await store.close()
        open_ = {row.key for row in rows if row.summary is not None and row.summary.status not in _ENDED}
        return len(open_ | {row.key for row in mail if row.kind in ("sales", "order-process")})

    def customer_command(self) -> Sequence[str]:
        address = self._harness.nodes[_NODE].address
        return [sys.executable, "-m", "bench.peers.amends_customer", address, self._store_url]

    async def kill(self) -> list[str]:
        for node in self._harness.nodes.values():
            node.kill()
        return await super().kill()

    async def _end(self) -> None:
        await self.kill()
        await self._harness.__aexit__(None, None, None)
        await super()._end()

    def log_tails(self) -> str:
        return self._harness.log_tails()


class AmendsOnPostgresql(AmendsSystem):
    """Over a server with its defaults of durability, as DBOS has it."""

    name = "amends-postgresql"

    def _make_store(self) -> str:
        self._database = PostgresServer()
        return self._database.url_of(_DATABASE)

    @property
    def versions(self) -> dict[str, str]:
        return {"amends": version("amends"), "PostgreSQL": ".".join(map(str, self._database.version))}

    async def serve(self) -> None:
        is_new = not self._database.data.exists()
        await self._database.start()
        if is_new:
            await self._database.create_database(_DATABASE)

    async def kill(self) -> list[str]:
        accepted = await super().kill()
        self._database.kill()
        return accepted

    async def _end(self) -> None:
        await super()._end()
        self._database.close()
