"""What all nodes of one simulated run share: loop, dice, network, database, and the record of what happened.

SimNode, WrongStarts ──▶ Surroundings ──▶ SimNetwork, Database, Ledger, Ambushes
                              ▲
SimCluster ───────────────────┘  adds the nodes
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from runtime.ports import Fact, Ports
from runtime.store.port import Store
from runtime.testing.rules.ledger import Ledger, Violation
from runtime.testing.rules.limits import SmallLimits
from runtime.testing.virtual.clock import START_S
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import Killed, Process, SimLoop
from runtime.testing.virtual.machine import machine_ports
from runtime.testing.virtual.wires import SimNetwork
from runtime.testing.world.ambush import Ambushes
from runtime.testing.world.database import Database
from runtime.testing.world.faulty_store import FaultyStore
from runtime.testing.world.store_faults import StoreFaults

__all__ = ["Connect", "Surroundings"]

_LAST_MAX = 40  # So many events are shown with a failure.

Connect = Callable[[Process, Ports], Store]
"""Opens a store for one life of a node, given its process and the ports of that process."""


class Surroundings:
    """The `trace` of one seed is the same on any machine."""

    def __init__(
        self,
        loop: SimLoop,
        dice: Dice,
        ledger: Ledger,
        *,
        settings: dict[str, Any],
        faults: StoreFaults,
        restart_s: float = 0.5,
        failures_max: int = 50,
        small: SmallLimits | None = None,
        connect: Connect | None = None,
    ) -> None:
        """`connect` gives each life of a node its store. Without it all share one database, on a way that can fail.

        `small` are limits that no setting sets.
        """
        self.loop = loop
        self.dice = dice
        self.ledger = ledger
        self.settings = settings
        self.faults = faults
        self.restart_s = restart_s  # A node killed at a failpoint is started again after this.
        self.failures_max = failures_max  # After so many failed turns in a row a kind is slowed to trials.
        self.small = small or SmallLimits()
        self.connect = connect
        self.healed = False  # The storm is over.
        self.is_doubled = False  # Two processes were launched under one name.
        self.happened: Counter[str] = Counter()  # Counts the faults by name.
        self.facts: Counter[str] = Counter()
        self._last: deque[tuple[float, str]] = deque(maxlen=_LAST_MAX)
        self.crashes: list[Violation] = []
        self.ambushes = Ambushes()
        self._digest = blake2b(digest_size=16)
        self.ports = machine_ports(loop, None, dice.named("outside"), self.report_of("outside"))
        machine = machine_ports(loop, None, dice.named("database"), self.report_of("database"))
        self.database = Database(loop, machine, ledger, self.wrote)
        self.database.retention_s = settings.get("retention_s", self.database.retention_s)
        self.network = SimNetwork(loop, dice.named("network"), self._carried)
        self.network.notice_s = dice.named("notice").choose((self.network.notice_s, 0.3, 5.0))
        loop.set_exception_handler(self._unhandled)

    @property
    def trace(self) -> str:
        """A hash over every commit, frame, fact and fault, and over each choice of the loop."""
        digest = self._digest.copy()
        digest.update(f"{self.loop.steps} {self.loop.trace} {self.loop.time()!r}".encode())
        return digest.hexdigest()

    @property
    def last(self) -> list[str]:
        """The last events, the latest at the end."""
        return [f"{at_s - START_S:10.4f}  {event}" for at_s, event in self._last]

    def store_of(self, who: str, dice: Dice) -> FaultyStore:
        """A connection to the database for a party that is no node, such as an operator."""
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
        """Waits in true time, outside of all nodes."""
        await self.ports.clock.sleep(delay_s)

    def fault(self, name: str, where: str = "") -> None:
        """Counts a fault, and notes it in the trace."""
        self.happened[name] += 1
        self.note(f"{name} {where}".rstrip())

    def note(self, event: str) -> None:
        now_s = self.loop.time()
        self._digest.update(f"{now_s!r} {event}\n".encode())
        self._last.append((now_s, event))

    def report_of(self, who: str) -> Callable[[Fact], None]:
        """The function that takes the facts of this process."""

        def report(fact: Fact) -> None:
            self.facts[type(fact).__name__] += 1
            self.note(f"{who} {fact!r}")

        return report

    def wrote(self, who: str, size: int, verdicts: str) -> None:
        """Notes what was decided on somebody's batch."""
        self.note(f"{who} commits {size}: {verdicts}")

    def _carried(self, source: str, target: str, frame: bytes) -> None:
        self._digest.update(f"{self.loop.time()!r} {source}>{target}".encode())
        self._digest.update(frame)

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Killed):
            return
        text = f"{context.get('message')}: {error!r}"
        self.note(text)
        self.crashes.append(Violation("bug", text))
