"""One node: settings and a catalogue become a running process. The composition root, and nothing else.

    start   store ▸ front (port) ▸ committer, router, mesh, shards ▸ actors ▸ membership (joins, takes shards) ▸ healthy
    stop    unhealthy ▸ membership leaves (turns end, shards given up) ▸ mesh ▸ front ▸ committer ▸ store

Everything a node owns hangs on this object, so that two nodes can live in one process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from runtime.actor.ref import ActorRef
from runtime.actor.system import ActorSystem
from runtime.cluster.beside import with_wishes
from runtime.cluster.lease import ClusterSettings
from runtime.cluster.membership import Membership
from runtime.cluster.waits import said_if_long
from runtime.config import Settings
from runtime.contracts import Contracts
from runtime.durable.behaviour import carried
from runtime.durable.carriers import Carriers
from runtime.durable.enrolment import claim_names, enrol
from runtime.durable.joining import Joining
from runtime.durable.kind import Kind, Limits, Subscribers
from runtime.durable.new_history import NewHistory
from runtime.durable.node_client import NodeClient
from runtime.durable.provided import Provided
from runtime.durable.region.headroom import Headroom
from runtime.durable.region.kind_actor import AskKindStatus, KindActor
from runtime.durable.region.router import Router
from runtime.durable.region.shards import Shards
from runtime.durable.region.sweeper import Sweeper
from runtime.durable.region.upkeep import Upkeep
from runtime.durable.residence.residents import Residents
from runtime.durable.waiting.calls import PendingCalls
from runtime.errors import AmendsError
from runtime.failpoints import Failpoint
from runtime.failures import text_of
from runtime.gateway.desk.on_node import NodeDesk
from runtime.gateway.front import Front, GrpcFront, Register
from runtime.gateway.monitor.on_node import NodeMonitor
from runtime.gateway.monitor.parts import NodeParts
from runtime.gateway.monitor.readiness import Readiness
from runtime.gateway.server import ServerSettings
from runtime.mesh.frames import frame_limit
from runtime.mesh.peers import Identity, Mesh, MeshSettings, who_answers
from runtime.observe.busy import BusyTeller
from runtime.observe.node_facts import DrainCutShort, NodeStarted, NodeStopped
from runtime.observe.tracing.on_node import NodeTracing
from runtime.page.on_node import NodePage
from runtime.ports import Ports
from runtime.saga.catalogue import Catalogue
from runtime.saga.joinable import parties_of, subscribers_of
from runtime.saga.pauses import Pauses
from runtime.store.committer import Committer
from runtime.store.open import open_store
from runtime.store.port import ExposedStore, Store, TurningStore
from runtime.store.records import NodeRow
from runtime.version import amends_version

__all__ = ["Node", "Register"]

_ANSWER_S = 1.0
_SPANS_S = 5.0  # for the last spans, at the end of a node


class Node:
    """A node of a cluster. `start` it once; `stop` drains it; after that it is done for good.

    `store`, `front` and `links` are what the settings say, unless they are given: a simulated node brings its own.
    """

    def __init__(
        self,
        settings: Settings,
        catalogue: Catalogue,
        ports: Ports,
        *,
        register: Sequence[Register] = (),
        store: Store | None = None,
        front: Front | None = None,
        links: MeshSettings | None = None,
    ) -> None:
        self.settings = settings
        self.name = settings.node_name
        self.incarnation = ports.ids.new_id().hex()[:12]
        self._readiness = readiness = Readiness()
        self._monitor = NodeMonitor(settings, amends_version(), ports, readiness)
        self._ports = ports = self._monitor.ports
        self._tracing = NodeTracing(settings, f"{self.name}@{self.incarnation}", amends_version(), ports)
        self._catalogue = catalogue
        self._services = settings.services or catalogue.service_names
        self._provided, self._pauses = Provided(catalogue.provides), Pauses(settings.pause_after, ports.report)
        self._behaviours = catalogue.behaviours_of(self._services, self._provided, self._pauses)
        self._limits = Limits.of(settings)
        self.roots: dict[str, ActorRef] = {}  # by kind: who takes PauseKind, ResumeKind and AskKindStatus
        self.store = store or open_store(settings.store, ports)
        self._desk = NodeDesk(settings, self.store, catalogue, ports)
        self._page = NodePage(settings, self.store, catalogue, ports, is_given=store is not None)
        server = ServerSettings(message_bytes_max=settings.message_bytes_max, advertise=settings.advertise)
        self._front = front or GrpcFront(settings.listen, ports, register, server, is_ready=readiness.is_ready)
        self._links = links or MeshSettings(frame_bytes_max=frame_limit(settings.message_bytes_max))
        self._built = False
        self._following: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """host:port that clients and peers dial."""
        return self._front.address

    async def start(self) -> None:
        """Come up and take part. Raises what the store, the port or the cluster object to.

        Cancelled, it lets go of what was begun: what a commit has begun is not broken off, and the name is free again.
        """
        await self._monitor.start()
        try:
            with said_if_long(self._ports, f"the store {self.settings.shown_store} to be opened"):
                await self.store.open()
        except BaseException:
            await self._monitor.close(0.0)
            raise
        try:
            await self._start()
        except BaseException:
            await self._abandon()
            raise

    async def _start(self) -> None:
        failpoint = self._ports.failpoint
        with said_if_long(self._ports, f"the store {self.settings.shown_store} to take names"):
            await claim_names(self.store, self._catalogue.names, self._catalogue.kinds, self._ports)
        self._provided.make()
        self._build()
        failpoint(Failpoint.STORE_OPENED)
        with said_if_long(self._ports, f"the address {self.settings.listen} to be listened on"):
            await self._front.start(self.mesh.accept, self.client)
            await self._desk.start()
            await self._page.start()
        failpoint(Failpoint.FRONT_STARTED)
        await self._start_kinds()
        failpoint(Failpoint.KINDS_STARTED)
        with said_if_long(self._ports, f"the store {self.settings.shown_store} to take subscriptions"):
            await enrol(self.store, self._behaviours, self._ports)
        self.membership = self._membership()
        self.router.connect(self.membership, self.mesh)
        self.shards.died = self.membership.died
        await self.membership.start()
        me, pauses = (self.name, self.incarnation), self._pauses
        teller = BusyTeller(self.store, self._ports.clock, self._behaviours, *me, pauses, self.headroom)
        teller.listen(self._ports.handling)
        self._follow_history()
        failpoint(Failpoint.MEMBER_STARTED)
        for sweeper in self.shards.sweepers.values():
            self._ports.tasks.start(self._sweep(sweeper), name="sweeper")
        await self._front.serving(True)
        parts = NodeParts(self.membership, self.shards.sweepers, self.committer, self.headroom, self.mesh, self.store)
        self._readiness.watch(parts)
        failpoint(Failpoint.NODE_SERVES)
        about = self.name, self.address, self.incarnation, tuple(self._services), self.settings.shown_store
        self._ports.report(NodeStarted(*about, amends_version()))

    def _build(self) -> None:
        ports, contracts = self._ports, self._catalogue.contracts
        subscribers = subscribers_of(self._catalogue)
        self.committer = Committer(self.store, ports)
        calls = PendingCalls(self.name, self.incarnation, contracts, ports.tasks)
        carriers = Carriers(self.name)
        self.router = Router(ports, node=self.name, shards_per_kind=self._limits.shards_per_kind, calls=calls)
        carriers.connect(self.router.signal)
        limits, backlog_max = self._limits, self.settings.backlog_max
        self.headroom = Headroom(self.committer, ports, node=self.name, backlog_max=backlog_max, sweep_s=limits.sweep_s)
        self.client = NodeClient(
            self.router,
            self.committer,
            self.store,
            contracts,
            ports,
            joining=Joining(self.store, subscribers, parties_of(self._catalogue)),
            headroom=self.headroom,
            kinds=self._catalogue.kinds,
            message_bytes_max=self._limits.message_bytes_max,
            retention_s=self._limits.retention_s,
        )
        self._identity = Identity(self.store.cluster_id, self.name, self.incarnation, self.store.cluster_secret)
        self.mesh = Mesh(self._front.transport, ports, self._identity, self.router, self._links)
        learners = (self.mesh.on_view, subscribers.learn, carriers.learn)
        self.shards = Shards(self.router, ports, learners)
        self._host_kinds(contracts, subscribers, carriers)
        self.system = ActorSystem(ports, name=self.name)
        self._built = True

    def _host_kinds(self, contracts: Contracts, subscribers: Subscribers, carriers: Carriers) -> None:
        store, shards, limits, node = self.store, self.shards, self._limits, f"{self.name}@{self.incarnation}"
        upkeep = Upkeep(store, self._ports, shards.purges, retention_s=limits.retention_s, sweep_s=limits.sweep_s)
        for behaviour in self._behaviours:
            tracing = self._tracing.of(behaviour)
            about = contracts, subscribers, store, self._ports, limits, node, carriers, tracing
            kind = Kind(behaviour, *about, is_watched=bool(self.settings.monitor_listen))
            residents = Residents(kind, self.committer, self.router, shards.read_again, shards.may_commit)
            shards.sweepers[kind.name] = Sweeper(residents, upkeep.purge, self.headroom.found)

    async def _start_kinds(self) -> None:
        for name, sweeper in self.shards.sweepers.items():
            root = self.system.spawn(partial(KindActor, sweeper), name)
            await root.ask(AskKindStatus(), timeout_s=10.0)
            self.roots[name] = root

    def _membership(self) -> Membership:
        given, kinds = self.settings, tuple(one.kind for one in self._behaviours)
        carries = carried(self._behaviours)
        row = NodeRow(self.name, self.incarnation, self.address, kinds, amends_version(), carries=carries)
        row = with_wishes(row, self._catalogue.beside)
        timing = ClusterSettings(given.lease_s, given.renew_s, given.shards_per_kind, given.clock_skew_max_s)
        return Membership(self.store, self._ports, row, self.shards, timing, self._who_answers)

    async def _who_answers(self, address: str) -> str | None:
        """Which incarnation of our name answers there; None if none does. Raises DeadlineExceeded: no telling."""
        hello = await who_answers(self._front.transport, address, self._identity, _ANSWER_S, self._ports)
        return hello.incarnation if hello is not None and hello.node == self.name else None

    async def _sweep(self, sweeper: Sweeper) -> None:
        """A node that hosts a kind and no longer looks for its mail is no node: it ends, and others take over."""
        try:
            await sweeper.run()
        except Exception as error:  # noqa: BLE001 -- the edge of a part: whatever it is, the part is gone
            failure = AmendsError(f"the sweeper of {sweeper.kind} has ended by a bug: {text_of(error)}")
            failure.__cause__ = error
            self.membership.fail(failure)

    def _follow_history(self) -> None:
        """Where the store may become another history while it is open, this node goes on from that one."""
        store = self.store
        if isinstance(store, TurningStore):
            history = NewHistory(store, self.committer, self.router.calls, self._ports, self.membership.start_over)
            self._following = history.follow(lambda: enrol(store, self._behaviours, self._ports), self.membership.fail)

    async def failed(self) -> BaseException:
        """Wait until this node cannot go on: a successor has taken its name, or its store was damaged or replaced."""
        if not isinstance(self.store, ExposedStore):
            return await self.membership.failed()
        first: asyncio.Future[BaseException] = self._ports.tasks.new_future()

        async def tell(failed: Callable[[], Awaitable[BaseException]]) -> None:
            failure = await failed()
            if not first.done():
                first.set_result(failure)

        waits = [
            self._ports.tasks.start(tell(failed), name="failure of a part")
            for failed in (self.membership.failed, self.store.failed)
        ]
        try:
            return await first
        finally:
            for wait in waits:
                wait.cancel()

    async def stop(self) -> bool:
        """Drain: end running turns, hand shards over, answer who waits, and leave. Nothing is lost.

        Whether it came to that: False if turns ran on after `drain_s`, or the store did not hear that this node left.
        """
        await self._front.serving(False)
        self._readiness.leave()
        self._ports.failpoint(Failpoint.NODE_STOPS)
        for sweeper in self.shards.sweepers.values():
            sweeper.stop()
        drained = await self.membership.leave(within_s=self.settings.drain_s)
        self._ports.handling.tell = None
        self._ports.failpoint(Failpoint.NODE_LEFT)
        await self._abandon()
        if not drained:
            self._ports.report(DrainCutShort(self.name, self.settings.drain_s))
        self._ports.report(NodeStopped(self.name))
        return drained

    async def _abandon(self) -> None:
        """Let go of everything that was begun, the newest first."""
        if self._following is not None:
            self._following.cancel()
        if self._built:
            await self.mesh.close()
        await self._page.close(min(self.settings.drain_s, 2.0))
        await self._desk.close(min(self.settings.drain_s, 2.0))
        await self._front.close(min(self.settings.drain_s, 2.0))
        if self._built:
            for sweeper in self.shards.sweepers.values():
                sweeper.stop()
            await self.system.stop()
            await self.committer.close()
        await self._provided.close(min(self.settings.drain_s, 2.0), self._ports.report)
        self._ports.failpoint(Failpoint.NODE_CLOSES)
        await self.store.close()
        await self._tracing.close(_SPANS_S)
        await self._monitor.close(0.0)
