"""A few orders in both styles with every possible end, for runs that kill a node at every failpoint.

    python -m tests.proof failpoints --workload crash

In each style one order ships, one finds no stock, one is declined and one is cancelled on its way. The saga is the real
one with short timeouts, so that it reacts to a silent participant within seconds.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from actors.catalogue import catalogue
from actors.orchestration import OrderProcess
from protos.orders_pb2 import PlaceOrderRequest
from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION
from runtime.durations import seconds
from runtime.testing.rules.limits import DEATHS_MAX
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.workloads.orders import OrderClients, Orders, Wish

__all__ = ["CrashWorkload", "crash_workload"]

_DECLINED_CENTS = 1_000_001
_SKUS = ("plenty", "none", "plenty", "plenty")  # The SKUs of the orders of one style. Their ends are:
_SHIPPED, _BACK_ORDERED, _DECLINED, _CANCELLED = range(4)

_HASTY: dict[str, Any] = {"timeout": seconds(0.7)}


class CrashWorkload(Orders):
    """The workload."""

    def __init__(self) -> None:
        super().__init__()
        # No message causes these crashes, so none is to be given up on.
        self.settings = {"node_deaths_max": DEATHS_MAX}
        self.catalogue = catalogue(OrderProcess.with_steps(bill=_HASTY, ship=_HASTY, close=_HASTY))

    def begin(self, world: World, dice: Dice) -> OrderClients:
        return _CrashClients(world, dice)


crash_workload = CrashWorkload


class _CrashClients(OrderClients):
    orders = 2 * len(_SKUS)
    stock = MappingProxyType({"plenty": 20, "none": 0})

    def _wish(self, number: int, dice: Dice) -> Wish:
        style, fate = divmod(number, len(_SKUS))
        request = PlaceOrderRequest(
            order_id=f"ORD-{number}",
            sku=_SKUS[fate],
            quantity=2,
            amount_cents=_DECLINED_CENTS if fate == _DECLINED else 100,
            flow=(ORCHESTRATION, CHOREOGRAPHY)[style],
            wait=fate == _SHIPPED,
        )
        return Wish(request, dice, number, again=fate == _BACK_ORDERED, cancelled=fate == _CANCELLED)
