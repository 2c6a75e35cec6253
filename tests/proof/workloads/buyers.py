"""The clients of purchases that wait for a manager: they ask for more than two budgets hold.

buyers ──RequestPurchase──▶ purchases ──▶ buy, which reserves the money, and waits for a manager
manager ──approve or decline──▶ buy; now and then someone tries who may not decide

At rest each budget has reserved what was ordered, and each order was approved by a manager who had not asked for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from examples.purchase.purchase_pb2 import (
    CANCELLED,
    ORDERED,
    BudgetState,
    OpenBudget,
    OrderState,
    PurchaseState,
    RequestPurchase,
)
from examples.purchase.saga import MANAGERS
from runtime.errors import AmendsError
from runtime.operate.repairs import post
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord, TaskRecord
from runtime.testing.rules.ledger import Violation
from runtime.testing.runs.clients import Clients
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.world import World

__all__ = ["Buyers"]

_CLIENTS = 4
_EACH = 3
_LOOK_S = 1.0
_DEPARTMENTS = ("sales", "research")
_BUDGET_CENTS = 250_000
_ITEMS = ("desk", "laptop", "yacht")  # The last is not for sale.
_PEOPLE = (*MANAGERS, "bert")


class Buyers(Clients):
    """They ask for more than two budgets hold. A manager decides about each purchase that waits for one."""

    def __init__(self, world: World, dice: Dice) -> None:
        super().__init__(world, dice)
        assert isinstance(world, SimCluster)
        self._cluster = world
        self._store = world.store_of("manager", dice.named("store"))
        self._wanted = [self._purchase(number) for number in range(_CLIENTS * _EACH)]

    def _purchase(self, number: int) -> RequestPurchase:
        choose = self.dice.choose
        return RequestPurchase(
            purchase_id=f"P-{number}",
            department=choose(_DEPARTMENTS),
            requested_by=choose(_PEOPLE),
            item=choose(_ITEMS),
            price_cents=choose((20_000, 90_000)),
        )

    async def run(self) -> None:
        for department in _DEPARTMENTS:
            await self.insist(OpenBudget(department=department, budget_cents=_BUDGET_CENTS))
        await self.together(*(self._wanted[number::_CLIENTS] for number in range(_CLIENTS)))
        manager = self.dice.named("manager")
        while not self._have_all_ended():
            await self._decide(manager)
            await self.pause(_LOOK_S, 2 * _LOOK_S)

    def _have_all_ended(self) -> bool:
        statuses = self.statuses("buy")
        return len(statuses) == len(self._wanted) and not {"running", "compensating"} & {*statuses.values()}

    async def _decide(self, dice: Dice) -> None:
        """Whoever may not decide is tried, too: the saga refuses that."""
        for row in self.world.ledger.rows_of("buy"):
            for task in SagaRecord.FromString(row.state).tasks:
                if task.digest and task.status == TaskRecord.RUNNING:
                    act = RepairSaga.APPROVE if dice.chance(0.7) else RepairSaga.DECLINE
                    said = RepairSaga(act=act, task=task.path, digest=task.digest, who=dice.choose(_PEOPLE), reason="-")
                    try:
                        await post(self._store, row.address, said, self._cluster.ports.clock.now_s())
                    except AmendsError:
                        pass  # The purchase still waits at the next look, unless this was written after all.

    def check(self) -> Iterator[Violation]:
        bought, orders = self.states("purchases", PurchaseState), self.states("orders", OrderState)
        for wanted in self._wanted:
            purchase = bought.get(wanted.purchase_id, PurchaseState())
            story, ordered = self.conversation("purchases", wanted.purchase_id), purchase.status == ORDERED
            if purchase.status not in (ORDERED, CANCELLED):
                yield Violation("I4", f"{wanted.purchase_id} did not end", story)
            if orders.get(wanted.purchase_id, OrderState()).orders != ordered:
                yield Violation("I5", f"{wanted.purchase_id} was not ordered as often as its purchase says", story)
            if ordered and purchase.approved_by not in {*MANAGERS} - {wanted.requested_by}:
                yield Violation("I5", f"{wanted.purchase_id} was approved by {purchase.approved_by!r}", story)
        budgets = self.states("budgets", BudgetState)
        for department in _DEPARTMENTS:
            spent = sum(
                one.price_cents
                for one in self._wanted
                if one.department == department and bought.get(one.purchase_id, PurchaseState()).status == ORDERED
            )
            kept = budgets[department].reserved_cents - budgets[department].returned_cents
            if kept != spent or kept > _BUDGET_CENTS:
                yield Violation("I3", f"{department} has {kept} cents reserved, and has spent {spent}")
