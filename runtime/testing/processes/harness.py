"""Real node processes for tests. A harness starts, kills, stops, freezes and restarts them by name.

    async with Harness(command=[sys.executable, "/path/to/node.py"]) as harness:
        billing = await harness.start("billing-1", services=["billing"], settings={"lease_s": 1.0})
        billing.kill()
        await harness.restart("billing-1")
        await harness.eventually(trip_has_ended, timeout_s=10, what="T-1 ends")

With `proxied=True` each node has a proxy in front, for peers and for clients. It can break what passes:

    harness.link("sales-1", "billing-1").cut()     # what sales-1 sends to it; the other direction is another link
    harness.link("", "billing-1").back.freeze()    # the answers of billing-1 to clients
    harness.clocks["billing-1"].shift(-2.0)        # with clocks=True, where libfaketime is installed

Every harness has a folder with a fresh store and a log for each process. Nodes listen on a free port of the loopback:
they are told port 0, so no other process can take it first. The harness finds them as their peers do, in the store.
No process outlives its harness, even if that fails, is cancelled, or is killed.
"""

from __future__ import annotations

import asyncio
import inspect
import shutil
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, overload

from runtime.config import ENV_PREFIX
from runtime.errors import InvalidSettings
from runtime.store.port import Store
from runtime.store_url import without_passwords
from runtime.testing.name_list import name_list
from runtime.testing.processes.clocks import WallClock
from runtime.testing.processes.dialler import Diallers
from runtime.testing.processes.members import Members
from runtime.testing.processes.port import reserved_port
from runtime.testing.processes.process import Finished, NodeProcess, ProcessFailed, launch
from runtime.testing.processes.proxy import ProxiedLink, Proxy

__all__ = ["Finished", "Harness", "NodeProcess", "NotInTime", "ProcessFailed", "Ready"]

Result = TypeVar("Result")
Ready = Callable[[NodeProcess], Awaitable[str | None]]
"""Gives the address at which a process serves, or None while it does not."""

_POLL_S = 0.01
_TAIL_LINES = 25


class NotInTime(AssertionError):
    """A test waited for something that did not come true in time."""


class Harness:
    """Starts processes in a folder of their own, and ends them all when it is left."""

    def __init__(
        self,
        *,
        command: Sequence[str],
        directory: Path | None = None,
        store_url: str = "",
        settings: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
        ready: Ready | None = None,
        start_timeout_s: float = 30.0,
        proxied: bool = False,
        clocks: bool = False,
    ) -> None:
        """`command` starts a node; the harness adds the arguments. `settings` and `env` hold for every node.

        `directory` gets the store and the logs. Processes run in it, so `command` needs absolute paths. Without it a
        temporary one is made, and kept if an error leaves the harness. `ready` tells when a process has started, if the
        processes are no nodes. `proxied` puts a proxy in front of each node. `clocks` gives each a wall clock that can
        be moved, and raises if libfaketime is missing.
        """
        if store_url == "memory:":
            raise InvalidSettings("a memory: store lives in one process and cannot be shared by several")
        self._temporary = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="amends-")) if directory is None else directory
        self.store_url = store_url or f"sqlite:///{self.directory / 'amends.db'}"
        self.nodes: dict[str, NodeProcess] = {}
        self.proxies: dict[str, Proxy] = {}  # By the name of the node behind.
        self.clocks: dict[str, WallClock] = {}
        self._command = name_list(command, "command")
        self._settings = dict(settings or {})
        self._env = dict(env or {})
        self._ready = ready
        self._start_timeout_s = start_timeout_s
        self._proxied = proxied
        self._has_clocks = clocks
        self._ports: dict[str, socket.socket] = {}  # The ports of proxied nodes, by name; each stays reserved.
        self._members = Members(self.store_url)
        self._replaced: dict[str, str] = {}  # The incarnation that the store knew before each start.

    async def __aenter__(self) -> Self:
        (self.directory / "logs").mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for node in self.nodes.values():
            node.kill()
        for proxy in self.proxies.values():
            await proxy.close()
        for port in self._ports.values():
            port.close()
        if error is not None:
            error.add_note(self.log_tails())
        await self._members.close()
        if self._temporary and error is None:
            shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def store(self) -> Store:
        """The nodes' store, for looking into it. Raises StoreError until a node was started."""
        return self._members.store

    def link(self, source: str, target: str) -> ProxiedLink:
        """The link by which `source` sends to `target` and is answered. A `source` of "" means clients.

        A node dials each peer to which it sends, so the link from `target` to `source` is another one.
        """
        if target not in self.proxies:
            raise ValueError(f"there is no proxy in front of {target!r}: start it, in a harness with proxied=True")
        return self.proxies[target].link(source)

    async def start(
        self,
        name: str,
        services: Sequence[str] = (),
        *,
        settings: Mapping[str, object] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> NodeProcess:
        """Starts a node and waits until it serves. No services mean all. Raises ProcessFailed if the node ends instead.

        asyncio.gather can start several at a time.
        """
        if name in self.nodes and self.nodes[name].alive:
            raise ValueError(f"{name} runs already; restart it, or start a second one of that name with `run`")
        listen, own_env = await self._surround(name)
        arguments = (*name_list(services, "services"), "--store", self.store_url, "--listen", listen, "--name", name)
        settings_env = _as_environment({**self._settings, **(settings or {})})
        node = NodeProcess(
            name,
            (*self._command, *arguments),
            self.directory,
            {**self._env, **own_env, **settings_env, **(env or {})},
        )
        node.listens = listen if self._proxied else ""
        self.nodes[name] = node
        await self._launch(node)
        return node

    async def restart(self, name: str) -> NodeProcess:
        """Starts a node again, as it was started first. If it still runs, it is stopped before."""
        node = self.nodes[name]
        if node.alive:
            await node.stop()
        await self._launch(node)
        return node

    async def run(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        settings: Mapping[str, object] | None = None,
        timeout_s: float = 30.0,
    ) -> Finished:
        """Runs any command to its end, and gives its output: a client, an operator's tool, a node that must refuse."""
        own_env = {**self._env, **_as_environment(settings or {}), **(env or {})}
        process, log = launch(name_list(command, "command"), self.directory, own_env)
        try:
            deadline_s = time.monotonic() + timeout_s
            while process.poll() is None:
                if time.monotonic() > deadline_s:
                    shown = without_passwords(str(command))
                    raise ProcessFailed(f"{shown} still runs after {timeout_s:g} s; it said:\n{log.read_text()}")
                await asyncio.sleep(_POLL_S)
        finally:
            process.kill()
            process.wait()
        return Finished(process.returncode, log.read_text(errors="replace"))

    async def run_node(
        self, *arguments: str, settings: Mapping[str, object] | None = None, timeout_s: float = 30.0
    ) -> Finished:
        """Runs a node to its end with exactly these arguments, to see it refuse them."""
        return await self.run((*self._command, *arguments), settings=settings, timeout_s=timeout_s)

    @overload
    async def eventually(
        self, check: Callable[[], Awaitable[Result]], *, timeout_s: float, what: str, every_s: float = ...
    ) -> Result: ...

    @overload
    async def eventually(
        self, check: Callable[[], Result], *, timeout_s: float, what: str, every_s: float = ...
    ) -> Result: ...

    async def eventually(
        self, check: Callable[[], object], *, timeout_s: float, what: str, every_s: float = _POLL_S
    ) -> object:
        """Asks until the answer is true, and gives that answer. An AssertionError in the check means not yet.

        Raises NotInTime with `what`, the last answer and the ends of all logs. Raises ProcessFailed at once if a node
        has ended by itself.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            last: object
            try:
                answer = check()
                last = await answer if inspect.isawaitable(answer) else answer
                if last:
                    return last
            except AssertionError as error:
                last = error
            self._notice_ends()
            if time.monotonic() > deadline_s:
                raise NotInTime(f"not within {timeout_s:g} s: {what}; last seen: {last!r}\n{self.log_tails()}")
            await asyncio.sleep(every_s)

    def log_tails(self) -> str:
        """The last lines of each process's log, with what became of the process."""
        parts = [f"logs and store are in {self.directory}"]
        for node in self.nodes.values():
            parts.append(f"--- {node.name}: {node.describe()}")
            parts.extend(node.log_lines()[-_TAIL_LINES:])
        return "\n".join(parts)

    # --- starting ---

    async def _surround(self, name: str) -> tuple[str, dict[str, str]]:
        """Puts a proxy and a clock around a node, if wanted. Gives where it has to listen, and its environment."""
        listen, env = "127.0.0.1:0", {}
        if self._has_clocks:
            if name not in self.clocks:
                self.clocks[name] = WallClock(self.directory / f"{name}.clock")
            env.update(self.clocks[name].environment())
        if self._proxied:
            if name not in self.proxies:
                self._ports[name] = reserved_port()
                target = "{}:{}".format(*self._ports[name].getsockname())
                self.proxies[name] = Proxy(target, who=Diallers(self._pids).name_of)
                await self.proxies[name].start()
            listen = self.proxies[name].target
            env[f"{ENV_PREFIX}ADVERTISE"] = self.proxies[name].address
        return listen, env

    def _pids(self) -> dict[str, int]:
        return {name: node.pid for name, node in self.nodes.items() if node.alive}

    async def _launch(self, node: NodeProcess) -> None:
        if self._ready is None:
            self._replaced[node.name] = await self._members.incarnation_of(node.name)
        node.launch()
        ready = self._ready or self._serves
        deadline_s = time.monotonic() + self._start_timeout_s
        while (address := await ready(node)) is None:
            if not node.alive:
                raise ProcessFailed(f"{node.name} ended while it started: {node.describe()}\n{node.output()}")
            if time.monotonic() > deadline_s:
                raise NotInTime(f"{node.name} does not serve after {self._start_timeout_s:g} s\n{self.log_tails()}")
            await asyncio.sleep(_POLL_S)
        node.address = address

    async def _serves(self, node: NodeProcess) -> str | None:
        return await self._members.serving(node.name, self._replaced[node.name], node.listens)

    def _notice_ends(self) -> None:
        for node in self.nodes.values():
            if node.ended_unasked:
                raise ProcessFailed(f"{node.name} ended by itself: {node.describe()}\n{self.log_tails()}")


def _as_environment(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"{ENV_PREFIX}{name.upper()}": str(value) for name, value in settings.items()}
