"""Orders of which some are poisoned: a handler or a function of the saga fails for them until it is mended.

    python -m runtime.testing simulate --workload poisoned

No dead letter may cost more than time. A saga whose command was given up turns back. A saga is stuck if its undo was
given up or its own function failed, until an operator replays the letter or retries the saga. A choreography goes on
where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace as changed
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from actors.catalogue import catalogue
from actors.orchestration import (
    OrderProcess,
    cancel_order,
    keep_back_order,
    keep_label,
    mark_ready,
    refund_order,
    void_label,
)
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderCancelled
from runtime.errors import StoreError
from runtime.operate.dead_letters import (
    Act,
    NotAwaited,
    NotFound,
    NotParked,
    carry_out,
    check_awaited,
    dead_letters,
    discard,
    replay,
)
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.retries import try_again
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.saga import Saga
from runtime.saga.step import Budget, Step
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.world import World
from tests.proof.workloads.orders import OrderClients, Orders, Wish

__all__ = ["Poisoned", "poisoned"]

_LOOK_S = 1.0
_MENDED_S = 200.0  # The cause is mended so long after the storm at the latest, when most budgets have run out.
_LETTERS_MAX = 1_000
_BUDGET = Budget(asks_max=2)  # It is soon used up, which shows whether a retry begins with a new budget.
_DEATHS_MAX = 3  # So many nodes may die over one message whose handler ends its process.
_PARKED_S = 400.0  # So long after the storm each message over which nodes die is parked.
_BILLS = ("shop.BillOrder", "shop.OrderPlaced")
_HANDLERS = (  # No client waits for these messages.
    ("billing", "shop.BillOrder"),
    ("billing", "shop.OrderPlaced"),
    ("billing", "shop.RefundOrder"),
    ("warehouse", "shop.VoidShippingLabel"),
    ("sales", "shop.MarkReadyToShip"),
    ("sales", "shop.ShippingLabelCreated"),
)
_FUNCTIONS = (refund_order, void_label, mark_ready, keep_label, cancel_order)  # The saga may be stuck over these.

_P = ParamSpec("_P")
_T = TypeVar("_T")


class PoisonedFunction(Exception):
    """Raised by a poisoned function of the saga."""


class FunctionFaults:
    """The functions of the saga that raise in one run, and the orders for which they do."""

    def __init__(self) -> None:
        self.functions: set[str] = set()
        self.keys: set[str] = set()
        self.raised = 0

    def may_raise(self, function: Callable[_P, _T]) -> Callable[_P, _T]:
        """The same function, but it raises for an order while it is poisoned for that order."""

        @wraps(function)
        def poisoned(*arguments: _P.args, **named: _P.kwargs) -> _T:
            key = cast("OrderProcessState", arguments[0]).order_id
            if function.__name__ in self.functions and key in self.keys:
                self.raised += 1
                raise PoisonedFunction(f"{function.__name__} fails until it is mended")
            return function(*arguments, **named)

        return poisoned


def _process(faults: FunctionFaults) -> type[Saga[Any]]:
    """The order process, whose functions may raise."""
    keep = (faults.may_raise(keep_label), keep_back_order)

    class FaultyOrderProcess(Saga[OrderProcessState], kind=OrderProcess.kind):
        """The order process, which behaves as usual until a function is poisoned."""

        started_by = OrderProcess.started_by
        bill = changed(OrderProcess.bill, undo=faults.may_raise(refund_order), budget=_BUDGET)
        ship = changed(OrderProcess.ship, on_answer=keep, undo=faults.may_raise(void_label), budget=_BUDGET)
        close = changed(OrderProcess.close, do=faults.may_raise(mark_ready), budget=_BUDGET)
        flow = bill >> ship >> close
        closing = Step(faults.may_raise(cancel_order), done=OrderCancelled)

    return FaultyOrderProcess


class Poisoned(Orders):
    """The workload, and the deployment of one seed. Each seed has faults of its own, and some have a deadly handler."""

    def __init__(self, faults: FunctionFaults | None = None, *, deadly: bool = False) -> None:
        super().__init__()
        self._deadly = deadly
        self.settings = {"node_deaths_max": _DEATHS_MAX} if deadly else {}
        self.faults = faults or FunctionFaults()
        self.catalogue = catalogue(_process(self.faults))
        self.expects += ("replayed", "poisoned", "functions raised", "tried again", "killed by a handler")
        self.never = ()

    def deploy(self, dice: Dice) -> Poisoned:
        return Poisoned(deadly=dice.chance(0.3))

    def begin(self, world: World, dice: Dice) -> OrderClients:
        """Raises TypeError in a world whose handlers cannot be poisoned."""
        if not isinstance(world, SimCluster):
            raise TypeError(f"handlers are poisoned in a SimCluster, not in a {type(world).__name__}")
        return _PoisonedClients(world, dice, self.faults, deadly=self._deadly)


poisoned = Poisoned


class _PoisonedClients(OrderClients):
    """They do not wait for the end of an order, which may take until somebody has mended a handler."""

    def __init__(self, cluster: SimCluster, dice: Dice, faults: FunctionFaults, *, deadly: bool) -> None:
        super().__init__(cluster, dice)
        self._faults = faults
        self._cluster = cluster
        self._operators_dice = dice.named("operator")
        self._store = cluster.store_of("operator", self._operators_dice.named("store"))
        self._poison = set(self._operators_dice.named("poison").some(_HANDLERS, 0.5))
        self._keys = {
            wish.request.order_id
            for wish in self._wishes
            if self._operators_dice.named(wish.request.order_id).chance(0.4)
        }
        faults.keys = self._keys
        faults.functions = {one.__name__ for one in self._operators_dice.named("functions").some(_FUNCTIONS, 0.5)}
        self._tried_again = 0
        self._placed_all = False
        self._is_mended = False
        self._replayed = 0
        self._discarded = 0
        deadly = deadly and bool(self._wishes)
        self._deadly = self._operators_dice.named("deadly").choose(self._wishes).request.order_id if deadly else ""
        cluster.is_poisoned = self._is_poisoned
        cluster.is_deadly = self._is_deadly

    def _wish(self, number: int, dice: Dice) -> Wish:
        wish = super()._wish(number, dice)
        wish.request.wait = False
        return wish

    def _is_poisoned(self, kind: str, key: str, type: str) -> bool:
        return (kind, type) in self._poison and (key in self._keys or kind == "warehouse")

    def _is_deadly(self, kind: str, key: str, type: str) -> bool:
        """Whether a handler ends its process: the handlers that bill one order do."""
        return not self._is_mended and kind == "billing" and key == self._deadly and type in _BILLS

    async def run(self) -> None:
        """Place all orders while operators act now and then. They mend the causes a while after the storm."""
        operators = self._cluster.ports.tasks.start(self._operate(), name="operators")
        await super().run()
        self._placed_all = True
        await operators

    async def _operate(self) -> None:
        """Replay in vain at first. Then mend the causes, and settle every letter until none is left."""
        ledger = self._cluster.ledger
        while not (
            self._placed_all
            and self._is_mended
            and ledger.is_at_rest
            and not any(ledger.parked)
            and not any(self._stuck())
        ):
            await self._cluster.sleep(_LOOK_S * self._operators_dice.between(0.5, 3.0))
            if self._cluster.healed and not self._is_mended:
                await self._until_billing_goes_on()
                await self._cluster.sleep(self._operators_dice.between(0.0, _MENDED_S))
                self._is_mended = True
                self._poison.clear()
                self._faults.functions.clear()
            with suppress(StoreError):
                for key in self._stuck():
                    if self._operators_dice.chance(0.5 if self._is_mended else 0.1):
                        await self._try_again(key)
                for letter in await dead_letters(self._store, limit=_LETTERS_MAX):
                    if self._is_mended or self._operators_dice.chance(0.2):
                        await self._settle(letter)

    async def _until_billing_goes_on(self) -> None:
        """Wait until the deadly message is parked and all other mail of billing is handled or parked.

        Mail that comes later does not count: an undo that always fails is sent again and again.
        """
        waiting = self._billing_mail()
        waited_s, deaths = 0.0, self._cluster.happened["killed by a handler"]
        while self._deadly and waiting & self._billing_mail():
            if waited_s > _PARKED_S:
                deaths = self._cluster.happened["killed by a handler"] - deaths
                self._broken.append(
                    Violation("I4", f"billing does not go on past {self._deadly}, over which {deaths} nodes have died")
                )
                return
            await self._cluster.sleep(_LOOK_S)
            waited_s += _LOOK_S

    def _billing_mail(self) -> set[bytes]:
        return {mail.id for mail in self._cluster.ledger.open if mail.kind == "billing"}

    def _stuck(self) -> list[str]:
        """The keys of the sagas that are stuck."""
        rows = self._cluster.ledger.rows_of(OrderProcess.kind)
        return [row.key for row in rows if SagaRecord.FromString(row.state).status == SagaRecord.STUCK]

    async def _try_again(self, key: str) -> None:
        """Retry a saga as `retry-saga` does. Before the cause is mended this is in vain and does no harm."""
        act = Act("the night shift", self._cluster.ports.clock.now_s(), "mended")
        with suppress(NotFound, NotParked):
            await try_again(self._store, (OrderProcess.kind, key), act)
            self._tried_again += 1

    async def _settle(self, letter: ParkedMail) -> None:
        """Replay a letter if its saga still waits for it, or else discard it."""
        act = Act("the night shift", self._cluster.ports.clock.now_s(), "mended")
        with suppress(NotParked):
            try:
                await check_awaited(self._store, letter)
                await carry_out(self._store, replay(letter, act))
                self._replayed += 1
            except NotAwaited:
                await carry_out(self._store, discard(letter, act))
                self._discarded += 1

    def figures(self) -> dict[str, int]:
        poisoned = self._cluster.happened["handler poisoned"]
        return {
            **super().figures(),
            "poisoned": poisoned,
            "replayed": self._replayed,
            "discarded": self._discarded,
            "functions raised": self._faults.raised,
            "tried again": self._tried_again,
            "killed by a handler": self._cluster.happened["killed by a handler"],
        }
