"""One of the systems that are compared, as processes on this machine: servers, workers and a customer.

    serve() ─▶ what keeps orders · work() ─▶ what carries them out · customer ─▶ who places them

`kill` ends all of them at once; what a system has kept on disk stays. Everything listens on the loopback.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar, Self

from bench.peers.customer_process import CustomerProcess
from bench.peers.environment import ROOT
from runtime.testing.processes.port import reserved_port
from runtime.testing.processes.process import NodeProcess, ProcessFailed

__all__ = ["DurableSystem"]

_POLL_S = 0.02
_START_S = 120.0


class DurableSystem(ABC):
    """`async with` starts it, and ends all that it has started."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"bench-{self.name}-"))
        (self.directory / "logs").mkdir()
        self.customer: CustomerProcess | None = None
        self._processes: dict[str, NodeProcess] = {}
        self._ports: dict[str, socket.socket] = {}  # stay reserved, so that a restart finds its own

    # --- what differs ---

    @property
    @abstractmethod
    def versions(self) -> dict[str, str]: ...

    @abstractmethod
    async def serve(self) -> None:
        """Start what keeps orders, with what it has kept before."""

    @abstractmethod
    async def work(self) -> None:
        """Start what carries orders out."""

    @abstractmethod
    async def under_way(self) -> int:
        """How many processes of orders have begun and not ended, by what is on disk. Nobody works meanwhile."""

    @abstractmethod
    def customer_command(self) -> Sequence[str]: ...

    # --- what all do ---

    async def __aenter__(self) -> Self:
        try:
            await self.serve()
            await self.start_work()
        except BaseException:
            await self._end()
            raise
        return self

    async def __aexit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is not None:
            error.add_note(self.log_tails())
        await self._end()

    async def start_work(self) -> None:
        await self.work()
        log = self.directory / "logs" / "customer.log"
        self.customer = await CustomerProcess.start(self.customer_command(), log)

    async def kill(self) -> list[str]:
        """End all processes with SIGKILL, as when the machine stops; ids of accepted orders not yet reported."""
        for process in self._processes.values():
            process.kill()
        customer, self.customer = self.customer, None
        return [] if customer is None else await customer.kill()

    async def _end(self) -> None:
        await self.kill()
        for port in self._ports.values():
            port.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log_tails(self) -> str:
        return "\n".join(f"{name}:\n{one.output()[-2000:]}" for name, one in self._processes.items())

    # --- what they are made of ---

    def address(self, name: str) -> str:
        """The host:port of this name; the same one each time."""
        if name not in self._ports:
            self._ports[name] = reserved_port()
        return "{}:{}".format(*self._ports[name].getsockname())

    def launch(self, name: str, command: Sequence[str], env: dict[str, str] | None = None) -> NodeProcess:
        """Start a process, or start it again. It dies with the runner."""
        own_env = {"PYTHONPATH": str(ROOT), **(env or {})}
        process = self._processes[name] = NodeProcess(name, command, self.directory, own_env)
        process.launch()
        return process

    def process(self, name: str) -> NodeProcess:
        return self._processes[name]

    async def until(self, what: str, process: NodeProcess, is_so: Callable[[], Awaitable[bool]]) -> None:
        """Raises ProcessFailed with the log of the process if it ends before, or if that takes two minutes."""
        deadline_s = time.monotonic() + _START_S
        while not await is_so():
            if not process.alive:
                raise ProcessFailed(f"{process.name} ended before {what}; it said:\n{process.output()[-4000:]}")
            if time.monotonic() > deadline_s:
                raise ProcessFailed(f"not within {_START_S:g} s: {what}; it said:\n{process.output()[-4000:]}")
            await asyncio.sleep(_POLL_S)

    async def until_it_says(self, text: str, process: NodeProcess) -> None:
        """The log of this run; earlier runs have files of their own."""

        async def says() -> bool:
            return text in process.output()

        await self.until(f"it says {text!r}", process, says)
