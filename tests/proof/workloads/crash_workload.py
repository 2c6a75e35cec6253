"""A few orders in both styles, for runs that kill a node at every place: all they can come to, in little time.

    python -m tests.proof failpoints --workload crash

For each style one order ships, one finds no stock, one is declined and one is cancelled on its way. The saga is the
real one with short timeouts, so that silence, too, is met within seconds.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from actors.catalogue import catalogue
from actors.orchestration import OrderProcess
from protos.orders_pb2 import OrderProcessState, PlaceOrderRequest
from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION, OrderCancelled
from runtime.saga.saga import Saga
from runtime.saga.step import seconds
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.world import World
from tests.proof.workloads.orders import OrderClients, Orders, Wish

__all__ = ["CrashWorkload", "crash_workload"]

_DECLINED_CENTS = 1_000_001
_SKUS = ("plenty", "none", "plenty", "plenty")  # of the orders of one style, and what each comes to:
_SHIPPED, _BACK_ORDERED, _DECLINED, _CANCELLED = range(4)


class HastyOrderProcess(Saga[OrderProcessState], kind=OrderProcess.kind):
    """The order process, which waits for nobody long."""

    started_by = OrderProcess.started_by
    bill = replace(OrderProcess.bill, timeout=seconds(0.7))
    ship = replace(OrderProcess.ship, timeout=seconds(0.7))
    close = replace(OrderProcess.close, timeout=seconds(0.7))
    flow = bill >> ship >> close
    compensated = OrderProcess.compensated
    compensated_by = OrderCancelled


class CrashWorkload(Orders):
    """The workload."""

    def __init__(self) -> None:
        super().__init__()
        self.catalogue = catalogue(HastyOrderProcess)

    def begin(self, world: World, dice: Dice) -> OrderClients:
        return _Clients(world, dice)


crash_workload = CrashWorkload


class _Clients(OrderClients):
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
