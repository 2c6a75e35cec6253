"""PgBouncer before a PostgreSQL server, in its transaction mode or another one: of a session it keeps nothing."""

from __future__ import annotations

import asyncio
import os
import shutil
from types import TracebackType
from typing import Self

from runtime.testing.processes.port import reserved_port
from runtime.testing.processes.postgresql.server import PostgresServer
from runtime.testing.processes.process import NodeProcess, ProcessFailed
from runtime.testing.processes.system_user import folder_for, user_but_root
from tests.contract.debian import pgbouncer

__all__ = ["Pooler"]

_CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = 12
max_client_conn = 200
"""


class Pooler:
    """One PgBouncer, from entering to leaving the context."""

    def __init__(self, server: PostgresServer, *, mode: str = "transaction") -> None:
        self._server = server
        self._mode = mode
        self._port = reserved_port()
        self.address = "{}:{}".format(*self._port.getsockname())
        self._user = user_but_root()
        self._folder = folder_for(self._user, "amends-pgbouncer-")

    def url_of(self, database: str) -> str:
        return self._server.url_of(database, address=self.address)

    async def __aenter__(self) -> Self:
        host, _, port = self._server.address.partition(":")
        listen = self.address.rpartition(":")[2]
        values = {"host": host, "port": port, "listen": listen, "folder": self._folder, "mode": self._mode}
        user, _, password = self._server.url.removeprefix("postgresql://").partition("@")[0].partition(":")
        files = {"pgbouncer.ini": _CONFIGURATION.format(**values), "users": f'"{user}" "{password}"\n'}
        (self._folder / "logs").mkdir()
        for name, content in files.items():
            (self._folder / name).write_text(content, encoding="ascii")
            if self._user is not None:
                os.chown(self._folder / name, self._user.user_id, self._user.group_id)
        command = [str(pgbouncer()), str(self._folder / "pgbouncer.ini")]
        self._process = NodeProcess("pgbouncer", command, self._folder, {}, user=self._user)
        self._process.launch()
        async with asyncio.timeout(30):
            while not await self._answers():
                await asyncio.sleep(0.01)
        return self

    async def _answers(self) -> bool:
        if not self._process.alive:
            raise ProcessFailed(f"PgBouncer ended while it started:\n{self._process.output()}")
        host, _, port = self.address.partition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            return False
        writer.close()
        return True

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()
        self._port.close()
        if error is not None:
            error.add_note(self._process.output())
        shutil.rmtree(self._folder, ignore_errors=True)
