"""Orders on a database that loses its newest commits when a standby takes over, though it had confirmed them.

    python -m runtime.testing simulate --workload failover

No store of Amends does that unless it is operated so. What was confirmed and lost is lost; but what is left has to be
one history, in which every order ends and not a cent is off, whatever the nodes still remember of the other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.records import ActorRow, MailRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.workloads.orders import OrderClients, Orders, Wish

__all__ = ["Failover", "failover"]

_SCARCE = tuple(f"scarce-{number}" for number in range(8))
_TOLD = ("I1", "I8", "I11")  # promises about what a client was told, or asked for


class Failover(Orders):
    """The workload."""

    hazards = ("fail over",) * 3

    def __init__(self) -> None:
        super().__init__()
        self.expects += ("failed over",)

    def begin(self, world: World, dice: Dice) -> OrderClients:
        return _FailoverClients(world, dice)


failover = Failover


class _FailoverClients(OrderClients):
    """They accept that what they were told is lost, and nothing else.

    Most want goods of which there are too few: so it matters in which order they come, and the history that is lost and
    the one that goes on decide differently.
    """

    orders = 60
    stock = MappingProxyType({"plenty": 1_000, **dict.fromkeys(_SCARCE, 6)})

    def _wish(self, number: int, dice: Dice) -> Wish:
        wish = super()._wish(number, dice)
        wish.request.sku = dice.named("sku").choose(("plenty", *_SCARCE))
        return wish

    def check(self) -> Iterator[Violation]:
        for one in super().check():
            if not (self._world.ledger.lost and one.invariant in _TOLD):
                yield one

    def excuses(self, row: ActorRow | MailRow) -> bool:
        """A saga whose beginning was lost, and which a late message has come to."""
        if not isinstance(row, ActorRow) or row.address not in self._world.ledger.lost:
            return False
        return SagaRecord.FromString(row.state).status == SagaRecord.NONE

    def _expected_stock(self, sku: str, found: int) -> int:
        """Goods that were put in, or fewer if that was lost."""
        expected = super()._expected_stock(sku, found)
        return min(found, expected) if ("warehouse", sku) in self._world.ledger.lost else expected
