"""A process that starts a PostgreSQL server, tells its processes in a file, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from runtime.testing.processes.kernel import children_of
from runtime.testing.processes.postgresql.server import PostgresServer


async def main() -> None:
    async with PostgresServer() as server:
        told = Path(sys.argv[1])
        lines = [str(server.directory), *map(str, [server.pid, *children_of(server.pid)])]
        told.with_suffix(".part").write_text("\n".join(lines), encoding="ascii")
        told.with_suffix(".part").rename(told)
        await asyncio.Event().wait()


asyncio.run(main())
