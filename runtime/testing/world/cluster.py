"""A simulated cluster: whole nodes, as `runtime.host` puts them together, on a simulated network and database.

SimCluster ──▶ SimNode (several) ──▶ SimNetwork, Database, Ledger
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Any

from runtime.ports import Fact, Ports
from runtime.saga.catalogue import Catalogue
from runtime.store.port import Store
from runtime.testing.rules.ledger import Ledger, Violation
from runtime.testing.rules.limits import SmallLimits, over_limits
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import Killed, SimLoop, running_process
from runtime.testing.virtual.machine import machine_ports
from runtime.testing.virtual.wires import SimNetwork
from runtime.testing.world.ambush import Ambushes
from runtime.testing.world.database import Database
from runtime.testing.world.faulty_handlers import FaultyCatalogue, IsPoisoned
from runtime.testing.world.faulty_store import FaultyStore, StoreFaults
from runtime.testing.world.node import NodeSpec, SimNode
from runtime.testing.world.wrong_starts import WrongStarts

__all__ = ["Connect", "SimCluster"]

_LAST_MAX = 40  # events shown with a failure


Connect = Callable[[SimNode, Ports], Store]
"""Opens a store for one life of a node, which has the ports."""


class SimCluster:
    """All nodes of one run, and what they share. `trace` is the same for the same seed, on any machine."""

    def __init__(
        self,
        loop: SimLoop,
        dice: Dice,
        catalogue: Catalogue,
        nodes: Sequence[NodeSpec],
        *,
        settings: dict[str, Any],
        faults: StoreFaults,
        handler_fails: float = 0.0,
        restart_s: float = 0.5,
        failures_max: int = 50,
        small: SmallLimits | None = None,
        connect: Connect | None = None,
        next_catalogue: Callable[[], Catalogue] | None = None,
    ) -> None:
        """`connect` gives each life of a node its store; without it, all share one database that can fail.

        `small` are limits that no setting sets. `next_catalogue` makes what nodes host whose `version` is 1.
        """
        self.loop = loop
        self.connect = connect
        self.dice = dice
        self.handler_fails = handler_fails  # chance for each run of a handler
        self.is_poisoned: IsPoisoned = lambda kind, key, type: False  # a workload may say otherwise
        self.is_deadly: IsPoisoned = lambda kind, key, type: False  # likewise: a handler ends its process
        self.catalogue = self._faulty(catalogue, "handlers")
        self.version = 0  # what is being rolled out, or was at last
        self.healed = False  # the storm is over
        self._next = next_catalogue
        self.settings = settings
        self.faults = faults
        self.happened: Counter[str] = Counter()  # faults, by name
        self.facts: Counter[str] = Counter()
        self.small = small or SmallLimits()
        self.restart_s = restart_s  # of a node that was killed at a failpoint
        self.failures_max = failures_max  # of turns in a row, before a kind is slowed to probes
        self.last: deque[str] = deque(maxlen=_LAST_MAX)
        self.crashes: list[Violation] = []
        self.ambushes = Ambushes()
        self.wrong_starts = WrongStarts(self)
        self.ledger = Ledger(catalogue.sagas)
        self.ports = machine_ports(loop, None, dice.named("outside"), self._report_of("outside"))
        machine = machine_ports(loop, None, dice.named("database"), self._report_of("database"))
        self.database = Database(loop, machine, self.ledger, self._wrote)
        self.database.retention_s = settings.get("retention_s", self.database.retention_s)
        self.network = SimNetwork(loop, dice.named("network"), self._carried)
        self.network.notice_s = dice.named("notice").choose((self.network.notice_s, 0.3, 5.0))
        self._digest = blake2b(digest_size=16)
        self.nodes = [SimNode(self, spec, number) for number, spec in enumerate(nodes)]
        self.twins: list[SimNode] = []
        loop.set_exception_handler(self._unhandled)

    def _faulty(self, catalogue: Catalogue, name: str) -> FaultyCatalogue:
        return FaultyCatalogue(
            catalogue,
            self.dice.named(name),
            lambda: self.handler_fails,
            self.fault,
            self._handles,
        )

    def _handles(self, kind: str, key: str, type: str) -> bool:
        """A handler is about to run: whether it fails, unless it ends its process."""
        if self.is_deadly(kind, key, type):
            running = running_process()
            for node in (*self.nodes, *self.twins):
                if running is not None and node.process is running:
                    node.kill("killed by a handler", restart_s=self.restart_s)
                    raise Killed
        return self.is_poisoned(kind, key, type)

    @property
    def has_versions(self) -> bool:
        return self._next is not None

    def catalogue_of(self, version: int) -> Catalogue:
        return self.next_catalogue if version else self.catalogue

    @cached_property
    def next_catalogue(self) -> Catalogue:
        assert self._next is not None  # no node has that version
        catalogue = self._next()
        self.ledger.knows_sagas(catalogue.sagas)
        return self._faulty(catalogue, "handlers of the next version")

    @property
    def trace(self) -> str:
        """A hash over every commit, frame, fact and fault, and over each choice of the loop."""
        digest = self._digest.copy()
        digest.update(f"{self.loop.steps} {self.loop.trace} {self.loop.time()!r}".encode())
        return digest.hexdigest()

    @property
    def serving(self) -> list[SimNode]:
        return [node for node in self.nodes if node.serves]

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def twin(self, node: SimNode) -> SimNode:
        """Another process with the name and the services of one that there is, on a machine of its own."""
        twin = SimNode(self, node.spec, len(self.nodes) + len(self.twins), label=f"{node.name}'{len(self.twins) + 1}")
        twin.version = node.version
        self.twins.append(twin)
        return twin

    def store_of(self, who: str, dice: Dice) -> FaultyStore:
        """A connection to the database for somebody who is no node, such as an operator."""
        return FaultyStore(
            self.database,
            self.loop,
            self.faults,
            dice,
            who=who,
            happened=lambda name: self.fault(name, who),
            die=lambda: None,
            broken=lambda what: self.crashes.append(Violation("bug", f"{who}: {what}")),
        )

    async def sleep(self, delay_s: float) -> None:
        """Wait in true time, outside of all nodes."""
        await self.ports.clock.sleep(delay_s)

    def fault(self, name: str, where: str = "") -> None:
        """Count a fault, and note it in the trace."""
        self.happened[name] += 1
        self.note(f"{name} {where}".rstrip())

    def note(self, event: str) -> None:
        self._digest.update(f"{self.loop.time()!r} {event}\n".encode())
        self.last.append(f"{self.loop.time() - 1_000.0:10.4f}  {event}")

    def _wrote(self, who: str, size: int, verdicts: str) -> None:
        self.note(f"{who} commits {size}: {verdicts}")
        for node in self.nodes:
            if node.name == who and node.serves and node.node is not None:  # not one of its life before this
                self.crashes.extend(over_limits(node.node))

    def _carried(self, source: str, target: str, frame: bytes) -> None:
        self._digest.update(f"{self.loop.time()!r} {source}>{target}".encode())
        self._digest.update(frame)

    def _report_of(self, who: str) -> Callable[[Fact], None]:
        def report(fact: Fact) -> None:
            self.facts[type(fact).__name__] += 1
            self.note(f"{who} {fact!r}")

        return report

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Killed):
            return
        text = f"{context.get('message')}: {error!r}"
        self.note(text)
        self.crashes.append(Violation("bug", text))
