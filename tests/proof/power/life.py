"""One life of a node, from its start to the power cut: the production code on a disk whose power goes.

    Life ──start──▶ runtime.host.Node, unchanged     store = WitnessedStore on a Disk, front = SimFront, in this process
         ──end────▶ no task of it goes on, no callback runs, its connections are closed; the disk refuses all access

All lives share one event loop, since the clients outlive them. So a life has ports of its own, which end with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from runtime.config import Settings
from runtime.errors import AmendsError
from runtime.host import Node
from runtime.ports import Cancellable, Clock, Ports, Tasks
from runtime.saga.catalogue import Catalogue
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.wires import SimNetwork
from runtime.testing.world.front import NodeDown, SimFront
from tests.proof.power.books import Books
from tests.proof.power.disk import Disk
from tests.proof.power.witness import WitnessedStore

__all__ = ["STORE", "Life"]

STORE = "store.db"
"""The name of the file, in every folder and image."""

_T = TypeVar("_T")
_ADDRESS = "here:1"
_STOP_S = 30.0  # A node has to stop within this time; in fact it takes almost none.
_ROUNDS_MAX = 1_000  # Rounds of cancelling: each await of a task that cleans up takes one round.


class _LifePorts:
    """Clock and tasks of one life, over those of the world. They do nothing more once its disk has no power."""

    def __init__(self, clock: Clock, tasks: Tasks, disk: Disk) -> None:
        self._clock = clock
        self._tasks = tasks
        self._disk = disk
        self._running: dict[asyncio.Task[Any], None] = {}
        self.now_s = clock.now_s
        self.monotonic_s = clock.monotonic_s
        self.sleep = clock.sleep
        self.new_future = tasks.new_future

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> Cancellable:
        return self._clock.call_later(delay_s, self._call, callback, arguments)

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> Cancellable:
        return self._tasks.call_soon(self._call, callback, arguments)

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        task = self._tasks.start(coroutine, name=name)
        self._running[task] = None
        task.add_done_callback(self._ended)
        if not self._disk.has_power:
            task.cancel()  # It is cancelled before its first step.
        return task

    async def end(self) -> None:
        """Return when no task runs any more. A task that cleans up is cancelled again, since it is dead."""
        for _ in range(_ROUNDS_MAX):
            if not self._running:
                return
            for task in list(self._running):
                task.cancel()
            await self._clock.sleep(0)
        names = ", ".join(task.get_name() for task in self._running)
        raise RuntimeError(f"tasks of a dead life go on, however often they are cancelled: {names}")

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.pop(task)
        if not self._disk.has_power and not task.cancelled():
            task.exception()  # A dead process reports no exception.

    def _call(self, callback: Callable[..., object], arguments: tuple[object, ...]) -> None:
        if self._disk.has_power:
            callback(*arguments)


class Life:
    """Start it once, and end it once. `broken` holds violations that no power cut excuses."""

    def __init__(
        self,
        disk: Disk,
        catalogue: Catalogue,
        settings: Settings,
        books: Books,
        ports: Ports,
        dice: Dice,
        *,
        checkpoint_pages: int,
    ) -> None:
        self.disk = disk
        self.broken: list[Violation] = []
        self._life_ports = _LifePorts(ports.clock, ports.tasks, disk)
        mine = self._ports = replace(
            ports,
            clock=self._life_ports,
            tasks=self._life_ports,
            ids=dice.named("ids"),
            randomness=dice.named("randomness"),
        )
        network = SimNetwork(asyncio.get_running_loop(), dice.named("network"), lambda *_: None)
        self._front = SimFront(network, _ADDRESS, mine)
        self._store = WitnessedStore(disk.folder / STORE, mine, books, vfs=disk.name, checkpoint_pages=checkpoint_pages)
        self.node = Node(settings, catalogue, mine, store=self._store, front=self._front)
        self._calls: dict[asyncio.Future[Any], None] = {}
        self._has_failed = False

    @property
    def is_over(self) -> bool:
        return self._has_failed or not self.disk.has_power

    @property
    def serves(self) -> bool:
        return self._front.serves and not self.is_over

    def start(self) -> None:
        self._ports.tasks.start(self._run(), name="node")

    async def _run(self) -> None:
        try:
            await self.node.start()
            error: BaseException = await self.node.failed()
        except AmendsError as one:
            error = one
        except Exception as one:  # noqa: BLE001 -- a process may end with any exception, and we report it
            error = one
        if self.disk.has_power:
            self.broken.append(Violation("start", f"the node ended by itself: {error!r}"))
        self._has_failed = True

    async def stop(self) -> None:
        """Stop the node as SIGTERM does. The power may fail meanwhile."""
        stopping = self._ports.tasks.start(self.node.stop(), name="stop")
        until_s = self._ports.clock.monotonic_s() + _STOP_S
        while not stopping.done() and self.disk.has_power:
            if self._ports.clock.monotonic_s() > until_s:
                self.broken.append(Violation("I4", f"the node did not stop within {_STOP_S:g} s"))
                return
            await self._ports.clock.sleep(0.001)
        if stopping.done() and self.disk.has_power and (error := stopping.exception()) is not None:
            self.broken.append(Violation("stop", f"the node failed while it stopped: {error!r}"))

    async def end(self) -> None:
        """End everything that it does. Its disk must have no power."""
        for call in list(self._calls):
            _fail(call)
        await self._store.close()  # Its tasks may still close it too. Nothing of that gets to the disk.
        await self._life_ports.end()
        self.disk.clean_up()

    # --- its clients ---

    async def call(self, what: Callable[[Node], Awaitable[_T]], *, timeout_s: float) -> _T:
        """Call the node. Raises NodeDown if the life ended before the answer, and otherwise what the node raises."""
        answer: asyncio.Future[_T] = self._ports.tasks.new_future()
        self._calls[answer] = None
        self._ports.tasks.start(self._serve(what, answer), name="call")
        timer = self._ports.clock.call_later(timeout_s, _fail, answer)
        try:
            return await answer
        finally:
            timer.cancel()
            del self._calls[answer]

    async def _serve(self, what: Callable[[Node], Awaitable[_T]], answer: asyncio.Future[_T]) -> None:
        try:
            result = await what(self.node)
        except AmendsError as error:
            if not answer.done():
                answer.set_exception(error if self.disk.has_power else NodeDown("the power went"))
            return
        if not self.disk.has_power:
            _fail(answer)  # The answer never left the machine.
        elif not answer.done():
            answer.set_result(result)


def _fail(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(NodeDown("the power went before the answer"))
