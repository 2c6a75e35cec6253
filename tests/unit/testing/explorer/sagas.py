"""Sagas of every shape, over the messages of the order process: right ones here, wrong ones in their tests."""

from __future__ import annotations

from protos.billing_pb2 import OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import OrderCancelled, OrderPlaced, OrderReadyToShip
from protos.warehouse_pb2 import (
    BackOrdered,
    Restock,
    Restocked,
    RestockRefused,
    ShippingLabelCreated,
    ShippingLabelVoided,
)
from runtime.durations import minutes, seconds
from runtime.saga.flow import Flow
from runtime.saga.on import on
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from tests.unit.saga.shop import (
    begin,
    bill_order,
    cancel_order,
    create_label,
    keep_charge,
    keep_label,
    mark_ready,
    refund_order,
    void_label,
)

__all__ = ["STARTED", "Beside", "ChoosySaga", "NoPivot", "SlowSaga", "TailSaga", "bill", "close", "ship"]

STARTED = on(OrderPlaced, begin)


def bill(**changed: object) -> Step:
    return Step(
        **{
            "do": bill_order,
            "done": OrderBilled,
            "refused": PaymentDeclined,
            "undo": refund_order,
            "undone": OrderRefunded,
            "timeout": seconds(30),
            "on_answer": keep_charge,
            **changed,
        }  # type: ignore[arg-type] # a test changes any of them
    )


def ship(**changed: object) -> Step:
    return Step(
        **{
            "do": create_label,
            "done": ShippingLabelCreated,
            "refused": BackOrdered,
            "undo": void_label,
            "undone": ShippingLabelVoided,
            "timeout": minutes(5),
            "on_answer": keep_label,
            **changed,
        }  # type: ignore[arg-type] # likewise
    )


def close(**changed: object) -> Step:
    return Step(**{"do": mark_ready, "done": OrderReadyToShip, "timeout": seconds(30), **changed})  # type: ignore[arg-type] # likewise


def reserve_goods(state: OrderProcessState) -> Restock:
    return Restock(sku=state.line.sku, quantity=state.line.quantity)


def refund_if_charged(state: OrderProcessState) -> RefundOrder | None:
    return RefundOrder(order_id=state.order_id) if state.amount_cents else None


class NoPivot(Saga[OrderProcessState], kind="no-pivot", deadline=minutes(10)):
    """It can turn back to the very end, and has a deadline until then."""

    started_by = STARTED
    bill = bill()
    ship = ship()
    flow = bill >> ship
    closing = Step(cancel_order, done=OrderCancelled)


class Beside(Saga[OrderProcessState], kind="beside"):
    """Bill and label are asked for at once; the last step waits for both."""

    started_by = STARTED
    bill = bill()
    ship = ship()
    close = close(pivot=True)
    flow = Flow((bill, ship, close), ((bill, close), (ship, close)))
    closing = Step(cancel_order, done=OrderCancelled)


class TailSaga(Saga[OrderProcessState], kind="tail"):
    """Two steps past the pivot that are asked at once."""

    started_by = STARTED
    bill = bill(pivot=True, undo=None, undone=())
    close = close()
    restock = Step(do=reserve_goods, done=(Restocked, RestockRefused), timeout=seconds(30))
    flow = Flow((bill, close, restock), ((bill, close), (bill, restock)))


class ChoosySaga(Saga[OrderProcessState], kind="choosy"):
    """Free orders need no refund; its last step may be answered with what says nothing."""

    started_by = STARTED
    bill = bill(undo=refund_if_charged)
    ship = ship(pivot=True, undo=None, undone=())
    close = close(ignores=OrderCancelled)
    flow = bill >> ship >> close
    closing = Step(cancel_order, done=OrderCancelled)


class SlowSaga(Saga[OrderProcessState], kind="slow"):
    """Its label takes time to be made, and to be voided; so does its last step, past the pivot."""

    started_by = STARTED
    ship = ship(working=Restocked, every=minutes(1), at_most=minutes(60), undo_working=RestockRefused)
    close = close(pivot=True, working=Restocked, every=seconds(10))
    flow = ship >> close
    closing = Step(cancel_order, done=OrderCancelled)
