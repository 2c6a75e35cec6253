"""The drawing of a choreography has its whole flow: what starts it, commands, what handlers may answer, its ends."""

from __future__ import annotations

from typing import Any

from protos.sales_pb2 import CHOREOGRAPHY, OrderPlaced
from protos.warehouse_pb2 import BackOrdered
from runtime.saga.choreography import Choreography
from runtime.saga.flowchart import draw_choreography
from runtime.saga.on import on
from tests.unit.saga.made import made
from tests.unit.saga.test_catalogue import catalogue
from tests.unit.saga.test_choreography import ShopChoreography, bill, refund
from tests.unit.saga.test_deadline import give_up

HANDLER_OF = catalogue().handler_of


def drawn(**body: Any) -> list[str]:
    options = {"deadline": body.pop("deadline", 0.0)}
    made_of = {"starts": on(OrderPlaced, where={"flow": CHOREOGRAPHY}), "reactions": (on(OrderPlaced, bill),), **body}
    return draw_choreography(made("Drawn", Choreography, made_of, name="drawn", **options), HANDLER_OF).splitlines()


def test_the_whole_flow_is_drawn_from_the_start_to_the_ends() -> None:
    assert (
        draw_choreography(ShopChoreography, HANDLER_OF)
        == """\
flowchart LR
    %% ShopChoreography: order-choreography
    start((start)) -->|"flow = 1"| OrderPlaced([OrderPlaced])
    OrderPlaced([OrderPlaced]) --> billing_BillOrder["billing: BillOrder"]
    OrderBilled([OrderBilled]) --> warehouse_CreateShippingLabel["warehouse: CreateShippingLabel"]
    BackOrdered([BackOrdered]) --> billing_RefundOrder["billing: RefundOrder"]
    billing_BillOrder["billing: BillOrder"] --> OrderBilled([OrderBilled])
    billing_BillOrder["billing: BillOrder"] --> PaymentDeclined([PaymentDeclined])
    warehouse_CreateShippingLabel["warehouse: CreateShippingLabel"] --> ShippingLabelCreated([ShippingLabelCreated])
    warehouse_CreateShippingLabel["warehouse: CreateShippingLabel"] --> BackOrdered([BackOrdered])
    billing_RefundOrder["billing: RefundOrder"] --> OrderRefunded([OrderRefunded])
    PaymentDeclined([PaymentDeclined]) --> done((ended))
    ShippingLabelCreated([ShippingLabelCreated]) --> done((ended))
    OrderRefunded([OrderRefunded]) --> done((ended))
"""
    )


def test_an_event_that_nobody_hears_leads_to_nobody() -> None:
    assert "    OrderBilled([OrderBilled]) -.-> unheard((nobody))" in drawn()


def test_an_event_to_which_no_command_leads_comes_from_outside() -> None:
    lines = drawn(reactions=(on(OrderPlaced, bill), on(BackOrdered, refund)))
    assert "    outside((outside)) -.-> BackOrdered([BackOrdered])" in lines


def test_the_condition_of_a_reaction_is_on_its_arrow() -> None:
    lines = drawn(reactions=(on(OrderPlaced, bill, where={"order_id": 'a "b"'}),))
    (line,) = (line for line in lines if "|" in line and "billing_BillOrder" in line)
    assert '-->|"order_id = a #quot;b#quot;"| billing_BillOrder' in line


def test_a_deadline_is_drawn_with_what_is_sent_when_it_is_over() -> None:
    lines = drawn(deadline=30.0, ends=ShopChoreography.ends, on_overdue=give_up)
    assert "    OrderPlaced([OrderPlaced]) -.-> overdue{{overdue after 30 s}}" in lines
    assert '    overdue{{overdue after 30 s}} --> sales_CancelOrder["sales: CancelOrder"]' in lines
    assert '    sales_CancelOrder["sales: CancelOrder"] --> OrderCancelled([OrderCancelled])' in lines
    assert not any("CancelOrder" in line for line in drawn(deadline=30.0, ends=ShopChoreography.ends))
