"""One named node of a simulated cluster, over all its lives: it is started, killed, frozen, drained, and called.

    SimNode ──start──▶ Process ──▶ runtime.host.Node, unchanged
       ▲                            store = FaultyStore, front = SimFront
    clients, storm

A node that dies is started again after a while, as systemd or an orchestrator of containers would do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from runtime.config import Settings
from runtime.durable.region.kind_actor import ResumeKind
from runtime.errors import AmendsError
from runtime.failpoints import Failpoint
from runtime.host import Node
from runtime.ports import Ports
from runtime.saga.catalogue import Catalogue
from runtime.testing.rules.lease_rule import broken_lease
from runtime.testing.rules.ledger import Violation
from runtime.testing.rules.witness import CommitWitness
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import Killed, Process, check_alive
from runtime.testing.virtual.machine import SimTasks, SteadySimClock, machine_ports
from runtime.testing.world.calls import SimCalls
from runtime.testing.world.faulty_store import FaultyStore
from runtime.testing.world.front import SimFront
from runtime.testing.world.surroundings import Surroundings

__all__ = ["Launcher", "NodeSpec", "SimNode"]

_T = TypeVar("_T")
_LOOKED_AT = frozenset((Failpoint.KINDS_STARTED, Failpoint.JOIN_ASKED, Failpoint.TURN_BEGUN))


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node's name and its services; none means all."""

    name: str
    services: tuple[str, ...] = ()


class Launcher(Protocol):
    """Launches the processes of nodes, and hears how far they get."""

    def catalogue_of(self, version: int) -> Catalogue: ...

    def begins(self, node: SimNode) -> None:
        """Hears that a process was launched. It has not run yet."""
        ...

    def joins(self, node: SimNode) -> None:
        """Hears that the process is about to join the cluster."""
        ...


class SimNode:
    """One named node, over all its lives."""

    def __init__(
        self, surroundings: Surroundings, launcher: Launcher, spec: NodeSpec, number: int, *, label: str = ""
    ) -> None:
        self.spec = spec
        self.name = label or spec.name  # Its name in this run, where two processes may have one node name.
        self.limits: dict[str, Any] = {}  # Settings that it has from its next life on.
        self.version = 0  # The version of the catalogue that it hosts from its next life on.
        self.runs_version = 0  # The version in its present life.
        self.address = f"10.0.0.{number + 1}:7650"
        self.lives = 0
        self.process: Process | None = None
        self.node: Node | None = None
        self.clock: SteadySimClock | None = None
        self.store: FaultyStore | None = None
        self._run = surroundings
        self._launcher = launcher
        self._ports: Ports | None = None
        self._front: SimFront | None = None
        self._calls = SimCalls(
            self.name, surroundings.loop, surroundings.database, surroundings.dice, self._taking_calls
        )
        self._dead_ports: list[Ports] = []  # They keep the tasks of the dead, which would be cleaned up else.
        self._may_restart = True
        self.failed_for_good = False
        self._draining = False

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.alive

    @property
    def frozen(self) -> bool:
        return self.process is not None and self.process.alive and self.process.frozen

    @property
    def serves(self) -> bool:
        """Says whether clients may call it. A frozen node looks as if they might."""
        return self.alive and self._front is not None and self._front.serves

    @property
    def draining(self) -> bool:
        """Says whether it was told to stop and has not ended yet."""
        return self.alive and self._draining

    # --- its lives ---

    def start(self) -> None:
        """Launches a process, unless one runs or the node has failed for good."""
        if self.alive or self.failed_for_good:
            return
        run = self._run
        self.lives += 1
        self.runs_version = self.version
        self._draining = False
        process = self.process = Process(self.name)
        dice = run.dice.named(f"{self.name}@{self.lives}")
        ports = self._ports = machine_ports(run.loop, process, dice, run.report_of(self.name), self._at_failpoint)
        assert isinstance(ports.clock, SteadySimClock)
        self.clock = ports.clock
        self._launcher.begins(self)
        store = run.connect(process, ports) if run.connect is not None else self._faulty_store(dice.named("store"))
        self._front = SimFront(run.network, self.address, ports)
        settings = Settings(name=self.spec.name, services=self.spec.services, **{**run.settings, **self.limits})
        catalogue = self._launcher.catalogue_of(self.version)
        self.node = Node(settings, catalogue, ports, store=store, front=self._front, links=run.small.links)
        ports.tasks.start(self._live(process, self.node), name=self.name)

    def _faulty_store(self, dice: Dice) -> FaultyStore:
        run = self._run
        self.store = FaultyStore(
            run.database,
            run.loop,
            run.faults,
            dice,
            who=self.name,
            happened=lambda name: run.fault(name, self.name),
            die=lambda: self.kill("killed at a commit"),
            broken=lambda what: run.crashes.append(Violation("I11", f"{self.name}: {what}")),
        )
        return self.store

    def _at_failpoint(self, point: Failpoint) -> None:
        """Goes on, or dies here and now."""
        check_alive()
        if point in _LOOKED_AT:
            self._look_at(point)
        ambush = self._run.ambushes.springs(point)
        if ambush is None:
            return
        if ambush.freeze_s:
            self._run.note(f"{self.name} reaches {point.name}")
            self.freeze(at_failpoint=True)
            self._run.database.later(ambush.freeze_s, self.thaw)
        else:
            self._run.note(f"{self.name} reaches {point.name}")
            self.kill("killed at a failpoint", restart_s=self._run.restart_s)
            raise Killed

    def _look_at(self, point: Failpoint) -> None:
        if point is Failpoint.KINDS_STARTED and self.node is not None:
            self._look_into(self.node)
        if point is Failpoint.JOIN_ASKED:
            self._launcher.joins(self)
        if point is Failpoint.TURN_BEGUN and self.node is not None:
            self._check_lease(self.node)

    def _check_lease(self, node: Node) -> None:
        run = self._run
        if run.connect is None and run.database.leases_count:  # A real file has tables of its own.
            run.crashes.extend(broken_lease(node, run.database.members, is_alone=not run.is_doubled))

    async def _live(self, process: Process, node: Node) -> None:
        try:
            await node.start()
            reason: BaseException = await node.failed()
        except AmendsError as error:
            reason = error
        except Exception as error:  # noqa: BLE001 - a simulated process ends with whatever it raises
            self._run.crashes.append(Violation("bug", f"{self.name} cannot start: {error!r}"))
            reason = error
        self._run.note(f"{self.name} ends by itself: {reason}")
        if not isinstance(reason, AmendsError):
            self._run.crashes.append(Violation("bug", f"{self.name} failed: {reason!r}"))
        self._end(process, dark=False)
        self._restart_after(0.5)

    def _look_into(self, node: Node) -> None:
        """Before the first turn, watches what the node hears of its commits, and sets limits that no setting sets."""
        if self._run.connect is None:  # With a real file there is no ledger.
            CommitWitness(node.committer, self._run.ledger)
        for sweeper in node.shards.sweepers.values():
            sweeper.residents.throttle.failures_max = self._run.failures_max
            self._run.small.set(sweeper)

    def kill(self, how: str, *, dark: bool = False, restart_s: float = 1.0) -> None:
        """Kills the process as SIGKILL does, or as a power cut if `dark`. It is started again after a while."""
        if self.process is None or not self.process.alive:
            return
        self._run.fault(how, self.name)
        self._end(self.process, dark=dark)
        self._restart_after(restart_s)

    def freeze(self, *, at_failpoint: bool = False) -> None:
        """Stops the process as SIGSTOP does. Frames and commits under way go on without it."""
        if self.process is not None and self.alive:
            self._run.fault("frozen at a failpoint" if at_failpoint else "frozen", self.name)
            self.process.frozen = True

    def thaw(self) -> None:
        if self.process is not None and self.frozen and not self.failed_for_good:
            self._run.note(f"thawed {self.name}")
            self._run.loop.thaw(self.process)

    def drain(self) -> None:
        """Has the node stop by itself, as SIGTERM does; then its process ends."""
        process, node = self.process, self.node
        if not self.serves or process is None or node is None or self._ports is None:
            return
        self._run.fault("drained", self.name)
        assert self._front is not None
        self._front.serves = False
        self._draining = True
        self._ports.tasks.start(self._drain(process, node), name=f"drain {self.name}")

    async def _drain(self, process: Process, node: Node) -> None:
        await node.stop()
        self._end(process, dark=False)
        self._restart_after(0.2)

    def fail_for_good(self, *, frozen: bool) -> None:
        """Lets the node fail for good: dead, or frozen as by a hypervisor that never schedules it again."""
        self.stay_down()
        self.failed_for_good = True
        if frozen and self.alive:
            self.freeze()
        else:
            self.kill("dead for good")

    def retire(self) -> None:
        """Kills the process for good."""
        self.stay_down()
        self.failed_for_good = True
        self.kill("twin killed")

    def resume(self) -> None:
        """Lets kinds take mail again that an operator has paused."""
        if self.serves and self.node is not None:
            for root in self.node.roots.values():
                root.try_tell(ResumeKind())

    def stay_down(self) -> None:
        """Never starts it again, whatever ends it from now on."""
        self._may_restart = False

    def _end(self, process: Process, *, dark: bool) -> None:
        if not process.alive:
            return
        process.alive = False
        process.held.clear()
        if self._front is not None:
            self._front.serves = False
        if self._ports is not None:
            self._dead_ports.append(self._ports)
        self._run.network.lose(self.address, dark=dark)
        self._calls.died()

    def clean_up(self) -> None:
        """Drops all that is left of its dead processes, before their loop is closed or used by others."""
        dead, self._dead_ports = self._dead_ports, []
        for ports in dead:
            assert isinstance(ports.tasks, SimTasks)
            ports.tasks.clean_up()

    def _restart_after(self, delay_s: float) -> None:
        if self._may_restart:
            self._run.database.later(delay_s, self.start)

    # --- its clients ---

    async def call(self, what: Callable[[Node], Awaitable[_T]], *, timeout_s: float) -> _T:
        """Has the node do something for a client outside. Raises NodeDown, and what the node raises."""
        return await self._calls.call(what, timeout_s=timeout_s)

    def _taking_calls(self) -> tuple[Node, Ports] | None:
        if not self.serves or self._ports is None or self.node is None:
            return None
        return self.node, self._ports
