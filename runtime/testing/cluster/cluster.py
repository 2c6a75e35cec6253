"""A cluster in one process, for tests of services and sagas: real nodes, virtual time, a network in memory.

    test ──send, state, kill, cut, advance──▶ Cluster ──▶ SimCluster ──▶ runtime.host.Node, unchanged
                                                 └──reads──▶ the store

    cluster = await make_cluster(catalogue(), nodes=2)
    await cluster.send(StartTrip(trip_id="T-1"), TripStarted)
    cluster.kill("node-1")
    await cluster.at_rest()
    assert await cluster.status("trip", "T-1") == "completed"

Nothing fails by itself; the test makes all faults. Each commit to a store in memory is checked against the promises of
the runtime. Leaving the cluster raises AssertionError if one was broken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Self, TypeVar, Unpack, overload

from google.protobuf.message import Message

from runtime.backoff import Backoff
from runtime.config import settings_of
from runtime.durable.client import Client, CommandOptions
from runtime.durations import in_seconds
from runtime.errors import InvalidSettings
from runtime.ports import Ports
from runtime.saga.catalogue import Catalogue
from runtime.store.open import open_store
from runtime.store.port import Store
from runtime.testing.cluster.clients import ClusterClient, answer_of
from runtime.testing.cluster.committed import Committed
from runtime.testing.cluster.leap import Leaper, forward_s
from runtime.testing.cluster.loop import ClusterLoop, waited_for
from runtime.testing.cluster.nodes import Nodes, specs_of
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import Process
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.node import SimNode
from runtime.testing.world.store_faults import StoreFaults

__all__ = ["Cluster", "NotAtRest"]

M = TypeVar("M", bound=Message)

_START_S = 120.0
_GREET_S = 10.0
_STOP_S = 120.0
_REST_S = 3600.0
_LOOKS = Backoff(0.01, 1.0, factor=1.5, jitter=0.0)  # The pauses between two looks at whether something is true.
_SHORT_S = 20.0  # In the first seconds rest is looked for often.
_SETTINGS = {"shards_per_kind": 4}  # Every node sweeps each shard each second: more would cost time.


class NotAtRest(AssertionError):
    """A message still waits, or a timer still runs, after all the time that was allowed."""


class Cluster:
    """Start it, use it, close it; all on a ClusterLoop. `sim` is the simulated cluster beneath, for anything else.

    `nodes` is a number, and each node has all services. Or it gives the services of each node by name; none means all.
    `settings` hold for every node; their names are in docs/reference/settings.md.
    `store` is memory:, with which a test is the same in every run, or the URL of a fresh store that the nodes share.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        *,
        nodes: Nodes = 2,
        settings: Mapping[str, Any] | None = None,
        store: str = "memory:",
    ) -> None:
        loop = asyncio.get_running_loop()
        if not isinstance(loop, ClusterLoop):
            raise InvalidSettings(
                f"a cluster runs on a ClusterLoop, not on a {type(loop).__name__}: use the fixture make_cluster of "
                "runtime.testing.fixtures with pytest-asyncio 1.4 or later, or asyncio.Runner(loop_factory=ClusterLoop)"
            )
        of_all = {**_SETTINGS, **(settings or {}), "store": store}
        checked = settings_of({"name": "any", **of_all})
        self._loop = loop
        self._catalogue = catalogue
        self._url = store
        self.sim = SimCluster(
            loop,
            Dice(0),
            catalogue,
            list(specs_of(nodes)),
            settings={name: getattr(checked, name) for name in of_all},
            faults=StoreFaults(),
            connect=None if store == "memory:" else self._opened,
        )
        self._books: Store = self.sim.database.rows if store == "memory:" else self._opened(None, self.sim.ports)
        self._committed = Committed(self._books, catalogue, range(checked.shards_per_kind))
        self._leaper = Leaper(self.sim, loop, self._books, [one.kind for one in catalogue.behaviours], checked)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> Self:
        """Starts every node, and returns when all serve."""
        await self._books.open()
        self.sim.start()
        for node in self.sim.nodes:
            node.stay_down()
        await self._until_serving(self.sim.nodes)
        return self

    async def close(self) -> None:
        """Heals everything and stops every node. Raises AssertionError if a promise was broken, or something failed."""
        sim = self.sim
        self.heal()
        for node in sim.nodes:
            node.thaw()
            node.drain()
        stopped = await self._until(lambda: not any(node.serves or node.draining for node in sim.nodes), _STOP_S)
        for node in sim.nodes:
            node.kill("killed at the end")
            node.clean_up()
        await self._books.close()
        self._loop.set_exception_handler(None)
        broken = [f"{one.invariant}: {one.what}" for one in (*sim.ledger.violations, *sim.crashes)]
        if not stopped:
            broken.append(f"a node did not stop within {_STOP_S:g} s")
        assert not broken, "\n".join([*broken, "before the end:", *sim.last])

    # --- what clients do ---

    def client(self, node: str = "") -> Client:
        """A client of this node, or of the first that serves. It can send, ask, read, watch, and cancel a saga."""
        return ClusterClient(lambda: self._member(node) if node else self._any_serving(), self._catalogue.contracts)

    @overload
    async def send(
        self, command: Message, *, node: str = "", timeout: float | timedelta = 60.0, **options: Unpack[CommandOptions]
    ) -> Message | None: ...

    @overload
    async def send(
        self,
        command: Message,
        answer: type[M],
        *,
        node: str = "",
        timeout: float | timedelta = 60.0,
        **options: Unpack[CommandOptions],
    ) -> M: ...

    async def send(
        self,
        command: Message,
        answer: type[Message] | None = None,
        *,
        node: str = "",
        timeout: float | timedelta = 60.0,
        **options: Unpack[CommandOptions],
    ) -> Message | None:
        """Sends a command to a node, or to the first that serves. Gives the event with which its handler answers.

        `answer` is the type of event that has to come. `options` are those of a client. With `message_id` the same
        command can be sent again, and is answered with no event. `kind` and `key` are for messages that name none.
        `process` names the choreography of the command; its reactions then hear what follows.
        Raises CommandFailed if the participant gave up or answered otherwise, NodeDown if the node is gone, and
        DeadlineExceeded if no outcome is known yet.
        """
        self._check_process(options.get("process", ""))
        reply = await self.client(node).ask(command, timeout=timeout, **options)
        return answer_of(reply, type(command).__name__, answer)

    async def state(self, kind: str, key: str, state: type[M]) -> M:
        """The committed state of an actor, or a saga's business state. It is empty if there is no such actor."""
        return await self._committed.state(self._catalogue.names.stored(kind), key, state)

    async def status(self, kind: str, key: str) -> str:
        """The status of a saga: none, running, compensating, completed, compensated or stuck."""
        return await self._committed.status(self._catalogue.names.stored(kind), key)

    async def conversation(self, kind: str, key: str) -> str:
        """Every message of the conversation that made this actor, one a line; empty if there is no such actor."""
        return await self._committed.conversation(self._catalogue.names.stored(kind), key)

    # --- time ---

    @property
    def now_s(self) -> float:
        """The virtual time, which is the wall clock of every node."""
        return self.sim.ports.clock.now_s()

    async def advance(self, delay: float | timedelta = 0.0, *, days: float = 0.0) -> None:
        """Lets seconds, a timedelta or days go by. It costs by what happens. Raises ValueError for a step back."""
        await self._leaper.until(self._loop.time() + forward_s(delay, days))

    async def at_rest(self, within: float | timedelta = _REST_S) -> None:
        """Lets time go by until only dead letters wait, and no timer runs. Raises NotAtRest if that takes too long."""
        begun_s, looks = self._loop.time(), 0
        until_s = begun_s + in_seconds(within)
        while open_ := await self._committed.open():
            if self._loop.time() >= until_s:
                raise NotAtRest(f"not at rest after {in_seconds(within):g} s: {', '.join(open_)}")
            looks += 1
            if self._loop.time() < begun_s + _SHORT_S:
                await self.sim.sleep(_LOOKS.pause_s(looks))
            else:
                await self._leaper.some(until_s)

    # --- what goes wrong ---

    def kill(self, name: str) -> None:
        """Kills the node as SIGKILL does: nothing of it runs any more. `restart` starts it again."""
        self._member(name).kill("killed")

    async def stop(self, name: str) -> None:
        """Stops the node as SIGTERM does: it hands over what it owns, and ends."""
        node = self._member(name)
        node.drain()
        if not await self._until(lambda: not node.alive, _STOP_S):
            raise AssertionError(f"{name} did not stop within {_STOP_S:g} s")

    async def restart(self, name: str) -> None:
        """Starts a node that was killed or stopped, and returns when it serves."""
        node = self._member(name)
        node.start()
        await self._until_serving([node])

    def freeze(self, name: str) -> None:
        """Freezes the node as SIGSTOP does. Others take over once its lease has run out."""
        self._member(name).freeze()

    def thaw(self, name: str) -> None:
        self._member(name).thaw()

    def cut(self, one: str, other: str) -> None:
        """Breaks the links between two nodes until `heal`. Both still reach the store."""
        self.sim.network.cut(self._member(one).address, self._member(other).address)

    def heal(self) -> None:
        """Joins what was cut."""
        self.sim.network.heal()

    # --- within ---

    def _member(self, name: str) -> SimNode:
        for node in self.sim.nodes:
            if node.name == name:
                return node
        raise InvalidSettings(f"there is no node {name!r}; there are {', '.join(node.name for node in self.sim.nodes)}")

    def _check_process(self, process: str) -> None:
        names = [one.name for one in self._catalogue.choreographies]
        if process and process not in names:
            raise InvalidSettings(f"there is no choreography {process!r}; there are {', '.join(names) or 'none'}")

    def _any_serving(self) -> SimNode:
        if not self.sim.serving:
            raise AssertionError("no node serves: all were killed, stopped or frozen; `restart` one")
        return next((node for node in self.sim.serving if not node.frozen), self.sim.serving[0])

    async def _until(self, holds: Callable[[], bool], within_s: float) -> bool:
        until_s = self._loop.time() + within_s
        while not holds():
            if self._loop.time() >= until_s:
                return False
            await self.sim.sleep(_LOOKS.first_s)
        return True

    async def _until_serving(self, nodes: Sequence[SimNode]) -> None:
        """Waits until the nodes serve and know each other, unless they are cut or frozen: answers are pushed then."""
        await self._until(lambda: all(node.serves or not node.alive for node in nodes), _START_S)
        down = [node.name for node in nodes if not node.serves]
        assert not down, "\n".join([f"{', '.join(down)} did not start; what happened:", *self.sim.last])
        await self._until(lambda: all(map(self._knows_the_others, self.sim.serving)), _GREET_S)

    def _knows_the_others(self, node: SimNode) -> bool:
        if node.node is None:
            return False
        connected = {status.node for status in node.node.mesh.status() if status.connected}
        return all(other.name in connected for other in self.sim.serving if other is not node)

    def _opened(self, process: Process | None, ports: Ports) -> Store:
        return waited_for(open_store(self._url, ports), self._loop, process)
