"""Amends, as `bench.orders` measures it: all services in one node over an SQLite file at synchronous=FULL."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version

import apsw

from bench.peers.environment import ROOT
from bench.peers.system import DurableSystem
from runtime.testing.processes.harness import Harness

__all__ = ["AmendsSystem"]

_UNDER_WAY = """
    select count(*) from (
        select key from actors where kind = 'order-process' and status not in ('completed', 'compensated')
        union select key from mail where kind in ('sales', 'order-process'))
"""  # the mail has orders whose process has not begun


class AmendsSystem(DurableSystem):
    """The file is the server: nothing else has to be started to keep orders."""

    name = "amends"

    def __init__(self, server: str = "") -> None:
        super().__init__()
        command = (sys.executable, str(ROOT / "node.py"))
        self._harness = Harness(command=command, directory=self.directory, settings={"log_format": "json"})

    @property
    def versions(self) -> dict[str, str]:
        return {"amends": version("amends"), "SQLite": apsw.sqlite_lib_version()}

    async def serve(self) -> None:
        """The file is there, or will be."""

    async def work(self) -> None:
        if "all" in self._harness.nodes:
            await self._harness.restart("all")
        else:
            await self._harness.start("all")

    async def under_way(self) -> int:
        store = apsw.Connection(str(self.directory / "amends.db"))
        ((count,),) = store.execute(_UNDER_WAY).fetchall()
        store.close()
        return int(str(count))

    def customer_command(self) -> Sequence[str]:
        node = self._harness.nodes["all"]
        return [sys.executable, "-m", "bench.peers.amends_customer", node.address, str(self.directory / "amends.db")]

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
