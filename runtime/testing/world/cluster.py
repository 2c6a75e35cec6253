"""A simulated cluster: whole nodes as `runtime.host` makes them, on a simulated network and database.

SimCluster ──▶ SimNode (several), WrongStarts ──▶ Surroundings: SimNetwork, Database, Ledger
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from runtime.saga.catalogue import Catalogue
from runtime.testing.rules.ledger import Ledger
from runtime.testing.rules.limits import over_limits
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import Killed, SimLoop, running_process
from runtime.testing.world.faulty_handlers import FailurePlan, FaultyCatalogue, IsPoisoned
from runtime.testing.world.node import NodeSpec, SimNode
from runtime.testing.world.surroundings import Surroundings
from runtime.testing.world.wrong_starts import WrongStarts

__all__ = ["SimCluster"]


class SimCluster(Surroundings):
    """All nodes of one run, with all that they share."""

    def __init__(
        self,
        loop: SimLoop,
        dice: Dice,
        catalogue: Catalogue,
        nodes: Sequence[NodeSpec],
        *,
        handler_fails: float = 0.0,
        next_catalogue: Callable[[], Catalogue] | None = None,
        **shared: Any,
    ) -> None:
        """`shared` goes to `Surroundings`. A node of `version` 1 hosts what `next_catalogue` makes."""
        super().__init__(loop, dice, Ledger(catalogue.sagas), **shared)
        self.handler_fails = handler_fails  # The chance that one run of a handler fails.
        self.is_poisoned: IsPoisoned = lambda kind, key, type: False  # A workload may replace it.
        self.is_deadly: IsPoisoned = lambda kind, key, type: False  # Likewise: that handler ends its process.
        self.catalogue = self._faulty(catalogue, "handlers")
        self.version = 0  # The version of the latest roll-out.
        self._next = next_catalogue
        self.nodes = [SimNode(self, self, spec, number) for number, spec in enumerate(nodes)]
        self.twins: list[SimNode] = []
        self.wrong_starts = WrongStarts(self, lambda: (*self.nodes, *self.twins))

    def _faulty(self, catalogue: Catalogue, name: str) -> FaultyCatalogue:
        plan = FailurePlan(self.dice.named(name), lambda: self.handler_fails, self.fault, self._handles)
        return FaultyCatalogue(catalogue, plan)

    def _handles(self, kind: str, key: str, type: str) -> bool:
        """A handler is about to run. Says whether it fails; a deadly message ends the process here."""
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
        assert self._next is not None  # Without it no node has that version.
        catalogue = self._next()
        self.ledger.knows_sagas(catalogue.sagas)
        return self._faulty(catalogue, "handlers of the next version")

    @property
    def serving(self) -> list[SimNode]:
        return [node for node in self.nodes if node.serves]

    @property
    def without_stream(self) -> list[tuple[str, str]]:
        """Dialler and target for each pair of serving nodes without an open stream."""
        open_now = dict.fromkeys(self.network.streams)
        serving = [node for node in self.serving if not node.frozen]
        pairs = [(one, other) for one in serving for other in serving if one is not other]
        return [(one.name, other.name) for one, other in pairs if (one.address, other.address) not in open_now]

    @property
    def begun(self) -> dict[tuple[str, str], int]:
        """How many sagas the database has, by kind and version."""
        found: dict[tuple[str, str], int] = {}
        for kind, version, _, count in self.database.act(self.database.rows.version_counts()):
            if version:  # What else tells of itself has no definition.
                found[kind, version] = found.get((kind, version), 0) + count
        return found

    def start(self) -> None:
        for node in self.nodes:
            node.start()

    def twin(self, node: SimNode) -> SimNode:
        """Makes a second process with the name and the services of a node, on a machine of its own."""
        twin = SimNode(
            self, self, node.spec, len(self.nodes) + len(self.twins), label=f"{node.name}'{len(self.twins) + 1}"
        )
        twin.version = node.version
        self.twins.append(twin)
        self.is_doubled = True
        return twin

    def wrote(self, who: str, size: int, verdicts: str) -> None:
        super().wrote(who, size, verdicts)
        for node in self.nodes:
            if node.name == who and node.serves and node.node is not None:  # Else an earlier life of it wrote.
                self.crashes.extend(over_limits(node.node))

    def begins(self, node: SimNode) -> None:
        """Hears that a process was launched. It has not run yet."""
        self.wrong_starts.begin(node)

    def joins(self, node: SimNode) -> None:
        """Hears that the process is about to join the cluster."""
        self.wrong_starts.judge(node)
