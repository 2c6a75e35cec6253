"""Durable actors of one node on a memory store and virtual time: all but mesh and membership."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeVar

from google.protobuf.message import Message

from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from runtime.actor.ref import ActorRef
from runtime.actor.system import ActorSystem
from runtime.adapters import AsyncioTasks
from runtime.contracts import Contracts
from runtime.durable.behaviour import Behaviour
from runtime.durable.carriers import Carriers
from runtime.durable.joining import Joining
from runtime.durable.kind import Kind, Limits, Subscribers
from runtime.durable.node_client import NodeClient
from runtime.durable.region.headroom import Headroom
from runtime.durable.region.kind_actor import AskKindStatus, KindActor
from runtime.durable.region.router import Router
from runtime.durable.region.shards import Shards
from runtime.durable.region.sweeper import Sweeper
from runtime.durable.region.upkeep import Upkeep
from runtime.durable.residence.residents import Residents
from runtime.durable.traces.tracing import KindTracing, Tracing
from runtime.durable.waiting.calls import PendingCalls
from runtime.failpoints import Failpoint
from runtime.ports import Fact, Ports
from runtime.protos import saga_pb2
from runtime.store.committer import Committer
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, MailRow
from runtime.testing.virtual.clock import VirtualClock, VirtualLoop
from runtime.testing.virtual.dice import Dice

T = TypeVar("T")


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a test's coroutine on a loop whose clock jumps."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(test())


class LocalNode:
    """Start it, use `commands` and `store`; `crash` forgets all but the store."""

    def __init__(
        self,
        behaviours: Sequence[Behaviour],
        store: MemoryStore | None = None,
        limits: Limits | None = None,
        clock: VirtualClock | None = None,
        *,
        backlog_max: int = 0,
        tracing: Tracing | None = None,
    ) -> None:
        self._tracing = tracing
        self.facts: list[Fact] = []
        self.reached: Counter[Failpoint] = Counter()
        self.ports = Ports(
            clock or VirtualClock(asyncio.get_running_loop()),
            Dice(1, "ids"),
            Dice(1, "randomness"),
            AsyncioTasks(),
            self.facts.append,
            lambda point: self.reached.update((point,)),
        )
        self.limits = limits or Limits()
        self.store = store or MemoryStore(self.ports)
        self.contracts = Contracts([saga_pb2, sales_pb2, billing_pb2, warehouse_pb2, orders_pb2])
        self.behaviours = behaviours
        subscriptions = [one for behaviour in behaviours for one in behaviour.subscriptions]
        subscribers = Subscribers(subscriptions)
        self.committer = Committer(self.store, self.ports)
        sweep_s = self.limits.sweep_s
        self.headroom = Headroom(self.committer, self.ports, node="node", backlog_max=backlog_max, sweep_s=sweep_s)
        self.calls = PendingCalls("node", "1", self.contracts, self.ports.tasks)
        self._carriers = Carriers("node")
        self.router = Router(self.ports, node="node", shards_per_kind=self.limits.shards_per_kind, calls=self.calls)
        self._carriers.connect(self.router.signal)
        kinds = [self._kind(one, subscribers) for one in behaviours]
        learners = (subscribers.learn, self._carriers.learn)
        self.shards = Shards(self.router, self.ports, learners)
        retention_s = self.limits.retention_s
        purge = Upkeep(self.store, self.ports, self.shards.purges, retention_s=retention_s, sweep_s=sweep_s).purge
        for kind in kinds:
            read_again, may_commit = self.shards.read_again, self.shards.may_commit
            residents = Residents(kind, self.committer, self.router, read_again, may_commit)
            self.shards.sweepers[kind.name] = Sweeper(residents, purge, self.headroom.found)
        self.system = ActorSystem(self.ports, name="node")
        self.roots: dict[str, ActorRef] = {}
        self.client = NodeClient(
            self.router,
            self.committer,
            self.store,
            self.contracts,
            self.ports,
            joining=Joining(self.store, subscribers, {}),
            headroom=self.headroom,
            kinds=[one.kind for one in behaviours],
            message_bytes_max=self.limits.message_bytes_max,
            retention_s=self.limits.retention_s,
        )

    def _kind(self, behaviour: Behaviour, subscribers: Subscribers) -> Kind:
        node, carriers = "node@1", self._carriers
        tracing = None if self._tracing is None else KindTracing(self._tracing, behaviour)
        about = self.contracts, subscribers, self.store, self.ports, self.limits, node, carriers, tracing
        return Kind(behaviour, *about)

    async def start(self, *, owning: bool = True) -> LocalNode:
        await self.store.open()
        for name, sweeper in self.shards.sweepers.items():
            root = self.system.spawn(partial(KindActor, sweeper), name)
            await root.ask(AskKindStatus(), timeout_s=10)
            self.roots[name] = root
            if owning:
                await self.shards.take_over(name, frozenset(range(self.limits.shards_per_kind)))
            self.ports.tasks.start(sweeper.run(), name="sweeper")
        return self

    async def stop(self) -> None:
        for sweeper in self.shards.sweepers.values():
            sweeper.stop()
        self.shards.on_lease_lost("stopped")
        await self.system.stop()
        await self.committer.close()

    async def sleep(self, delay_s: float) -> None:
        await self.ports.clock.sleep(delay_s)

    async def row(self, kind: str, key: str) -> ActorRow:
        (row,) = await self.store.load([(kind, key)])
        assert row is not None, f"there is no {kind}/{key}"
        return row

    async def mail(self, kind: str, key: str) -> list[MailRow]:
        rows: list[MailRow] = []
        for shard in range(self.limits.shards_per_kind):
            rows += await self.store.waiting_for((kind, key), shard, limit=1000)
        return rows

    def facts_of(self, kind: type[Fact]) -> list[Fact]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def send(self, command: Message, **options: Any) -> Message | None:
        return (await self.client.ask(command, timeout=120.0, **options)).message
