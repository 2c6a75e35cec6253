"""DBOS over PostgreSQL, as its documents advise for production. The customer's process runs the workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bench.peers.environment import pinned, python_of
from bench.peers.system import DurableSystem
from runtime.testing.processes.postgresql.server import PostgresServer

__all__ = ["DbosStepsSystem", "DbosSystem"]

_DATABASE = "bench"


class DbosSystem(DurableSystem):
    """The server keeps its defaults of durability: fsync, and commits that wait for it."""

    name = "dbos"
    acts: ClassVar[str] = "transactions"  # or "steps"

    def __init__(self, server: str = "") -> None:
        self._python = python_of("dbos")
        super().__init__()
        self._database = PostgresServer()

    @property
    def versions(self) -> dict[str, str]:
        return {"dbos": pinned("dbos.txt")["dbos"], "PostgreSQL": ".".join(map(str, self._database.version))}

    async def serve(self) -> None:
        is_new = not self._database.data.exists()
        await self._database.start()
        if is_new:
            await self._database.create_database(_DATABASE)

    async def work(self) -> None:
        """The customer does it."""

    async def under_way(self) -> int:
        counted = "select count(*) from dbos.workflow_status where status in ('PENDING', 'ENQUEUED')"
        return int(await self._database.sql(counted, database=_DATABASE))

    def customer_command(self) -> Sequence[str]:
        return [str(self._python), "-m", "bench.peers.dbos_customer", self._database.url_of(_DATABASE), self.acts]

    async def kill(self) -> list[str]:
        self._database.kill()
        return await super().kill()

    async def _end(self) -> None:
        await super()._end()
        self._database.close()


class DbosStepsSystem(DbosSystem):
    """The same with plain steps, which cost less, and which DBOS may carry out twice."""

    name = "dbos-steps"
    acts = "steps"
