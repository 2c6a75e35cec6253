"""Orders of which some are poisoned: a handler, or a function of the saga, fails at them until it is mended.

    python -m runtime.testing simulate --workload poisoned

Nothing that comes to lie among the dead letters may cost more than time: a saga whose command was given up turns back,
one whose undo was given up, or whose own function failed, is stuck until an operator replays the letter or has it try
again, and a choreography goes on where it stopped.
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
    ParkedMail,
    carry_out,
    check_awaited,
    dead_letters,
    discard,
    replay,
)
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
_MENDED_S = 200.0  # after the storm, at the latest: by then most budgets have run out
_LETTERS_MAX = 1_000
_BUDGET = Budget(asks_max=2)  # soon used up, so that it is seen whether who tries again has another
_DEATHS_MAX = 3  # of nodes over one message, where a handler ends its process
_PARKED_S = 400.0  # after the storm: by then each message that nodes die over is parked
_BILLS = ("shop.BillOrder", "shop.OrderPlaced")
_HANDLERS = (  # of messages that no client waits for
    ("billing", "shop.BillOrder"),
    ("billing", "shop.OrderPlaced"),
    ("billing", "shop.RefundOrder"),
    ("warehouse", "shop.VoidShippingLabel"),
    ("sales", "shop.MarkReadyToShip"),
    ("sales", "shop.ShippingLabelCreated"),
)
_FUNCTIONS = (refund_order, void_label, mark_ready, keep_label, cancel_order)  # of the saga, by what it is stuck over

_P = ParamSpec("_P")
_T = TypeVar("_T")


class PoisonedFunction(Exception):
    """Raised in place of a function of the saga."""


class Bugs:
    """Which functions of the saga raise in one run, and for which orders."""

    def __init__(self) -> None:
        self.functions: set[str] = set()
        self.keys: set[str] = set()
        self.raised = 0

    def may_raise(self, function: Callable[_P, _T]) -> Callable[_P, _T]:
        """The same function, until it is poisoned for the order whose state it is given."""

        @wraps(function)
        def poisoned(*arguments: _P.args, **named: _P.kwargs) -> _T:
            key = cast("OrderProcessState", arguments[0]).order_id
            if function.__name__ in self.functions and key in self.keys:
                self.raised += 1
                raise PoisonedFunction(f"{function.__name__} fails until it is mended")
            return function(*arguments, **named)

        return poisoned


def _process(bugs: Bugs) -> type[Saga[Any]]:
    """The order process, of which these functions may raise."""
    keep = (bugs.may_raise(keep_label), keep_back_order)

    class BuggyOrderProcess(Saga[OrderProcessState], kind=OrderProcess.kind):
        """The order process as it is, until a function is poisoned."""

        started_by = OrderProcess.started_by
        bill = changed(OrderProcess.bill, undo=bugs.may_raise(refund_order), budget=_BUDGET)
        ship = changed(OrderProcess.ship, on_answer=keep, undo=bugs.may_raise(void_label), budget=_BUDGET)
        close = changed(OrderProcess.close, do=bugs.may_raise(mark_ready), budget=_BUDGET)
        flow = bill >> ship >> close
        closing = Step(bugs.may_raise(cancel_order), done=OrderCancelled)

    return BuggyOrderProcess


class Poisoned(Orders):
    """The workload, and the deployment of one seed: each has bugs of its own, and some a handler that is deadly."""

    def __init__(self, bugs: Bugs | None = None, *, deadly: bool = False) -> None:
        super().__init__()
        self._deadly = deadly
        self.settings = {"node_deaths_max": _DEATHS_MAX} if deadly else {}
        self.bugs = bugs or Bugs()
        self.catalogue = catalogue(_process(self.bugs))
        self.expects += ("replayed", "poisoned", "functions raised", "tried again", "killed by a handler")
        self.never = ()

    def deploy(self, dice: Dice) -> Poisoned:
        return Poisoned(deadly=dice.chance(0.3))

    def begin(self, world: World, dice: Dice) -> OrderClients:
        """Raises TypeError in a world whose handlers cannot be poisoned."""
        if not isinstance(world, SimCluster):
            raise TypeError(f"handlers are poisoned in a SimCluster, not in a {type(world).__name__}")
        return _PoisonedClients(world, dice, self.bugs, deadly=self._deadly)


poisoned = Poisoned


class _PoisonedClients(OrderClients):
    """They do not wait for the end of an order, which may take until somebody has mended a handler."""

    def __init__(self, cluster: SimCluster, dice: Dice, bugs: Bugs, *, deadly: bool) -> None:
        super().__init__(cluster, dice)
        self._bugs = bugs
        self._cluster = cluster
        self._night = dice.named("operator")
        self._store = cluster.store_of("operator", self._night.named("store"))
        self._poison = set(self._night.named("poison").some(_HANDLERS, 0.5))
        self._keys = {
            wish.request.order_id for wish in self._wishes if self._night.named(wish.request.order_id).chance(0.4)
        }
        bugs.keys = self._keys
        bugs.functions = {one.__name__ for one in self._night.named("functions").some(_FUNCTIONS, 0.5)}
        self._tried_again = 0
        self._placed_all = False
        self._is_mended = False
        self._replayed = 0
        self._discarded = 0
        deadly = deadly and bool(self._wishes)
        self._deadly = self._night.named("deadly").choose(self._wishes).request.order_id if deadly else ""
        cluster.is_poisoned = self._is_poisoned
        cluster.is_deadly = self._is_deadly

    def _wish(self, number: int, dice: Dice) -> Wish:
        wish = super()._wish(number, dice)
        wish.request.wait = False
        return wish

    def _is_poisoned(self, kind: str, key: str, type: str) -> bool:
        return (kind, type) in self._poison and (key in self._keys or kind == "warehouse")

    def _is_deadly(self, kind: str, key: str, type: str) -> bool:
        """Of one order, whoever bills it ends its process."""
        return not self._is_mended and kind == "billing" and key == self._deadly and type in _BILLS

    async def run(self) -> None:
        """Place all orders while operators look now and then; what is poisoned is mended a while after the storm."""
        operators = self._cluster.ports.tasks.start(self._operate(), name="operators")
        await super().run()
        self._placed_all = True
        await operators

    async def _operate(self) -> None:
        """Replay in vain at first; then mend, and see to every letter until none is left."""
        ledger = self._cluster.ledger
        while not (
            self._placed_all
            and self._is_mended
            and ledger.is_at_rest
            and not any(ledger.parked)
            and not any(self._stuck())
        ):
            await self._cluster.sleep(_LOOK_S * self._night.between(0.5, 3.0))
            if self._cluster.healed and not self._is_mended:
                await self._until_billing_goes_on()
                await self._cluster.sleep(self._night.between(0.0, _MENDED_S))
                self._is_mended = True
                self._poison.clear()
                self._bugs.functions.clear()
            with suppress(StoreError):
                for key in self._stuck():
                    if self._night.chance(0.5 if self._is_mended else 0.1):
                        await self._try_again(key)
                for letter in await dead_letters(self._store, limit=_LETTERS_MAX):
                    if self._is_mended or self._night.chance(0.2):
                        await self._settle(letter)

    async def _until_billing_goes_on(self) -> None:
        """What ends its processes is parked after so many deaths, and all else that waits there is handled, or parked.

        What comes later does not count: an undo that always fails is asked for again and again.
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
        """As `retry-saga` does. Before the cause is mended it is in vain, and does no harm."""
        act = Act("the night shift", self._cluster.ports.clock.now_s(), "mended")
        with suppress(NotFound, NotParked):
            await try_again(self._store, (OrderProcess.kind, key), act)
            self._tried_again += 1

    async def _settle(self, letter: ParkedMail) -> None:
        """Replay it if it is still wanted; else nobody needs it any more."""
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
            "functions raised": self._bugs.raised,
            "tried again": self._tried_again,
            "killed by a handler": self._cluster.happened["killed by a handler"],
        }
