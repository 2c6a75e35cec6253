"""Orders on a database that loses its newest commits when a standby takes over, though it had confirmed them.

    python -m runtime.testing simulate --workload failover

No store of Amends does that unless it is operated so. What was confirmed and lost is lost; but what is left has to be
one history, in which every order ends and not a cent is off, whatever the nodes still remember of the other one.
"""

from __future__ import annotations

from collections.abc import Iterator

from actors.workload import OrderClients, Orders
from runtime.testing.simulation.dice import Dice
from runtime.testing.simulation.ledger import Violation
from runtime.testing.simulation.world import World

__all__ = ["Failover", "failover"]

_TOLD = ("I1", "I8", "I11")  # promises about what a client was told, or asked for


class Failover(Orders):
    """The workload."""

    hazards = ("fail over",)

    def __init__(self) -> None:
        super().__init__()
        self.expects += ("failed over",)

    def begin(self, world: World, dice: Dice) -> OrderClients:
        return _Clients(world, dice)


failover = Failover


class _Clients(OrderClients):
    """They accept that what they were told is lost, and nothing else."""

    def check(self) -> Iterator[Violation]:
        for one in super().check():
            if not (self._world.ledger.lost and one.invariant in _TOLD):
                yield one

    def _expected_stock(self, sku: str, found: int) -> int:
        """Goods that were put in, or fewer if that was lost."""
        expected = super()._expected_stock(sku, found)
        return min(found, expected) if ("warehouse", sku) in self._world.ledger.lost else expected
