"""Drawings follow from definitions."""

from __future__ import annotations

from runtime.saga.diagram import draw_saga
from tests.unit.saga.shop import FirmOrderProcess, ShopProcess
from tests.unit.saga.test_working import PackingProcess


def test_a_saga_is_drawn_with_its_way_forward_its_turns_and_its_way_back() -> None:
    assert (
        draw_saga(ShopProcess.definition)
        == """\
stateDiagram-v2
    %% ShopProcess: order-process
    state "bill: BillOrder" as bill
    state "ship: CreateShippingLabel (pivot)" as ship
    state "close: MarkReadyToShip" as close
    state "undo bill: RefundOrder" as undo_bill
    state "undo ship: VoidShippingLabel" as undo_ship
    state "closing: CancelOrder" as say_closing
    [*] --> bill: OrderPlaced
    bill --> ship: OrderBilled
    bill --> say_closing: PaymentDeclined
    bill --> undo_bill: silence or fault
    ship --> close: ShippingLabelCreated
    ship --> undo_bill: BackOrdered
    ship --> undo_ship: silence or fault
    close --> completed: OrderReadyToShip
    close --> close: silence or fault, asked again
    completed --> [*]
    undo_ship --> undo_bill: ShippingLabelVoided
    undo_bill --> say_closing: OrderRefunded
    say_closing --> compensated: OrderCancelled
    compensated --> [*]
"""
    )


def test_what_takes_its_time_is_drawn_with_its_pace() -> None:
    lines = draw_saga(PackingProcess.definition).splitlines()
    assert "    ship --> ship: Restocked, asked again after 60 s, for 7200 s at most" in lines
    assert "    undo_ship --> undo_ship: RestockRefused, asked again after 60 s, for 7200 s at most" in lines
    assert "    say_closing --> say_closing: RestockRefused, asked again after 5 s" in lines


def test_a_pivot_without_undo_is_drawn_as_asked_again() -> None:
    drawing = draw_saga(FirmOrderProcess.definition)
    assert "ship --> ship: silence or fault, asked again" in drawing
    assert "undo_bill --> compensated: OrderRefunded" in drawing
    assert "undo_ship" not in drawing
