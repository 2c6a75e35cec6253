"""Orders on a database that loses confirmed commits when a standby takes over.

    python -m runtime.testing simulate --workload failover

No store of Amends does that unless it is operated so. Confirmed commits may be lost. But what is left has to be one
history, in which every order ends and not a cent is off, whatever the nodes still remember of the lost history.
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
_TOLD = ("I1", "I8", "I11")  # Promises about answers to clients, and about their requests.


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
    """They accept that answers to them are lost, and no other violation.

    Most of them want goods of which there are too few. So the order in which they come matters, and the lost history
    and the one that goes on decide differently.
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
        """Excuse a saga whose beginning was lost and which then got a late message."""
        if not isinstance(row, ActorRow) or row.address not in self._world.ledger.lost:
            return False
        return SagaRecord.FromString(row.state).status == SagaRecord.NONE

    def _expected_stock(self, sku: str, found: int) -> int:
        """The goods that were put in, or fewer if that was lost."""
        expected = super()._expected_stock(sku, found)
        return min(found, expected) if ("warehouse", sku) in self._world.ledger.lost else expected
