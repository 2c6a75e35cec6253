"""Real node processes for tests: started, killed, stopped, frozen, restarted by name, and waited for.

    async with Harness(command=[sys.executable, "/path/to/node.py"]) as harness:
        billing = await harness.start("billing-1", services=["billing"], settings={"lease_s": 1.0})
        billing.kill()
        await harness.restart("billing-1")
        await harness.eventually(trip_has_ended, timeout_s=10, what="T-1 ends")

With `proxied=True` peers and clients reach each node through a proxy of its own, which can break what passes:

    harness.link("sales-1", "billing-1").cut()     # what sales-1 sends there; the other direction is a link by itself
    harness.link("", "billing-1").back.freeze()    # what answers billing-1 gives to clients
    harness.clocks["billing-1"].shift(-2.0)        # with clocks=True, where libfaketime is installed

Every harness has a folder with a fresh store and a log for each process. Nodes listen on a free port of the loopback
(they are told port 0, so no other process can take it first), and are found where peers find them: in the store.
A process never outlives its harness, whether that ends well, fails, is cancelled or is itself killed.
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
from runtime.testing.name_list import name_list
from runtime.testing.processes.clocks import WallClock
from runtime.testing.processes.dialler import Diallers
from runtime.testing.processes.members import Members
from runtime.testing.processes.process import Finished, NodeProcess, ProcessFailed, launch
from runtime.testing.processes.proxy import ProxiedLink, Proxy

__all__ = ["Finished", "Harness", "NodeProcess", "NotInTime", "ProcessFailed", "Ready"]

Result = TypeVar("Result")
Ready = Callable[[NodeProcess], Awaitable[str | None]]
"""Gives the address at which a process serves, or None as long as it does not."""

_POLL_S = 0.01
_TAIL_LINES = 25


class NotInTime(AssertionError):
    """What a test waited for did not come true in time."""


class Harness:
    """Starts processes in a folder of their own and ends them all when it is left."""

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
        """`command` is what starts a node, without its arguments; `settings` and `env` hold for every node.

        `directory` gets the store and the logs, and is the processes' working folder, so `command` needs absolute
        paths; without it a temporary one is made, and kept if the harness is left by an error. `ready` replaces the
        way by which a start is known to be complete, for processes that are no nodes. `proxied` puts a proxy in front
        of each node; `clocks` gives each a wall clock that can be moved, and raises where libfaketime is missing.
        """
        if store_url == "memory:":
            raise InvalidSettings("a memory: store lives in one process and cannot be shared by several")
        self._temporary = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="amends-")) if directory is None else directory
        self.store_url = store_url or f"sqlite:///{self.directory / 'amends.db'}"
        self.nodes: dict[str, NodeProcess] = {}
        self.proxies: dict[str, Proxy] = {}  # by the node behind
        self.clocks: dict[str, WallClock] = {}
        self._command = name_list(command, "command")
        self._settings = dict(settings or {})
        self._env = dict(env or {})
        self._ready = ready
        self._start_timeout_s = start_timeout_s
        self._proxied = proxied
        self._has_clocks = clocks
        self._ports: dict[str, socket.socket] = {}  # that proxied nodes listen on, kept for their names
        self._members = Members(self.store_url)
        self._replaced: dict[str, str] = {}  # incarnation that the store knew by a name before it was started

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
        """The nodes' store, to look into. There is one once a node was started."""
        return self._members.store

    def link(self, source: str, target: str) -> ProxiedLink:
        """What the node `source` sends to the node `target` and is answered; "" for clients, the harness among them.

        A node dials each peer for what it has to say, so the link from `target` to `source` is another one.
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
        """Start a node and wait until it serves; `services` empty for all. Raises ProcessFailed if it ends instead.

        Several may be started at a time with asyncio.gather.
        """
        if name in self.nodes and self.nodes[name].alive:
            raise ValueError(f"{name} runs already; restart it, or start another of that name with `run`")
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
        """Start a node again as it was started first; one that still runs is stopped before."""
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
        """Run any command to its end and give what it said: a client, an operator's tool, a node that must refuse."""
        own_env = {**self._env, **_as_environment(settings or {}), **(env or {})}
        process, log = launch(name_list(command, "command"), self.directory, own_env)
        try:
            deadline_s = time.monotonic() + timeout_s
            while process.poll() is None:
                if time.monotonic() > deadline_s:
                    raise ProcessFailed(f"{command} still runs after {timeout_s:g} s; it said:\n{log.read_text()}")
                await asyncio.sleep(_POLL_S)
        finally:
            process.kill()
            process.wait()
        return Finished(process.returncode, log.read_text(errors="replace"))

    async def run_node(
        self, *arguments: str, settings: Mapping[str, object] | None = None, timeout_s: float = 30.0
    ) -> Finished:
        """Run a node to its end with exactly these arguments, to see it refuse them."""
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
        """Ask until the answer is true, and give that answer; an AssertionError in the check counts as not yet.

        Raises NotInTime with `what`, the last answer and the ends of all logs; ProcessFailed, at once, when a node
        has ended that nobody asked to.
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
        """The last lines that each process logged, with what became of it."""
        parts = [f"logs and store are in {self.directory}"]
        for node in self.nodes.values():
            parts.append(f"--- {node.name}: {node.describe()}")
            parts.extend(node.log_lines()[-_TAIL_LINES:])
        return "\n".join(parts)

    # --- what is below is how a start is carried out ---

    async def _surround(self, name: str) -> tuple[str, dict[str, str]]:
        """Put a proxy and a clock around a node, as wanted; where it has to listen, and what it has to be told."""
        listen, env = "127.0.0.1:0", {}
        if self._has_clocks:
            if name not in self.clocks:
                self.clocks[name] = WallClock(self.directory / f"{name}.clock")
            env.update(self.clocks[name].environment())
        if self._proxied:
            if name not in self.proxies:
                self._ports[name] = _reserved_port()
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


def _reserved_port() -> socket.socket:
    """A free port of the loopback that is bound and not listened on: nobody gets it, but who asks for this one."""
    port = socket.socket()
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port.bind(("127.0.0.1", 0))
    return port


def _as_environment(settings: Mapping[str, object]) -> dict[str, str]:
    return {f"{ENV_PREFIX}{name.upper()}": str(value) for name, value in settings.items()}
