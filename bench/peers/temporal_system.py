"""Temporal: the server that its command line brings, one worker, and a customer.

That server keeps its data in one SQLite file and is made for development: Temporal's own advice for production is a
cluster over PostgreSQL, MySQL or Cassandra, which no package brings. The file is flushed with each commit here.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Sequence
from typing import ClassVar

from bench.peers.environment import pinned, python_of, temporal_server
from bench.peers.system import DurableSystem

__all__ = ["LocalTemporalSystem", "TemporalSystem"]

_COMMAND_S = 60.0
_DURABLE = ("--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=full")


class TemporalSystem(DurableSystem):
    """The services' own database is another file, flushed with each commit, too."""

    name = "temporal"
    activities: ClassVar[str] = "remote"  # or "local"

    def __init__(self, server: str = "") -> None:
        self._program = str(temporal_server(server))
        self._python = python_of("temporal")
        super().__init__()

    @property
    def versions(self) -> dict[str, str]:
        told = subprocess.run([self._program, "--version"], capture_output=True, text=True, check=True).stdout
        return {
            "temporalio": pinned("temporal.txt")["temporalio"],
            "temporal": told.strip().removeprefix("temporal version "),
        }

    async def serve(self) -> None:
        host, _, port = self.address("server").rpartition(":")
        file = str(self.directory / "temporal.db")
        listen = ("--ip", host, "--port", port, "--headless", "--log-level", "error")
        server = self.launch(
            "server", [self._program, "server", "start-dev", *listen, "--db-filename", file, *_DURABLE]
        )
        await self.until("the namespace is there", server, self._has_namespace)

    async def work(self) -> None:
        worker = self.launch("worker", self._module("temporal_worker"))
        await self.until_it_says("serves", worker)

    async def under_way(self) -> int:
        said = await self._ask("workflow", "count", "--query", "ExecutionStatus='Running'")
        return int(json.loads(said)["count"])

    def customer_command(self) -> Sequence[str]:
        return [*self._module("temporal_customer"), self.activities]

    def _module(self, name: str) -> list[str]:
        services = str(self.directory / "services.db")
        return [str(self._python), "-m", f"bench.peers.{name}", self.address("server"), services]

    async def _has_namespace(self) -> bool:
        return bool(await self._ask("operator", "namespace", "describe", "--namespace", "default"))

    async def _ask(self, *arguments: str) -> str:
        """What the server answers to a command, as JSON; empty if the command failed."""
        command = [self._program, *arguments, "--address", self.address("server"), "--output", "json"]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            told, _ = await asyncio.wait_for(process.communicate(), _COMMAND_S)
        except TimeoutError:
            process.kill()
            await process.wait()
            return ""
        return told.decode() if process.returncode == 0 else ""


class LocalTemporalSystem(TemporalSystem):
    """The same with local activities, which Temporal advises for short acts that are within reach of the worker."""

    name = "temporal-local"
    activities = "local"
