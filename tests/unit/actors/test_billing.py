"""Billing: money moves at most once each way."""

from __future__ import annotations

import itertools

import pytest

from actors.billing import CHARGE_MAX_CENTS, Billing
from protos.billing_pb2 import (
    BILLED,
    CLOSED,
    DECLINED,
    REFUNDED,
    BillOrder,
    CloseBill,
    OrderBilled,
    OrderRefunded,
    PaymentDeclined,
    RefundOrder,
)
from protos.sales_pb2 import OrderLine

LINE = OrderLine(sku="CUP", quantity=2)
BILL = BillOrder(order_id="ORD-1", amount_cents=500, line=LINE)
REFUND = RefundOrder(order_id="ORD-1", reason="back-ordered")
CLOSE = CloseBill(order_id="ORD-1", reason="called off")


def _billing() -> Billing:
    return Billing.of(key="ORD-1")


async def test_a_bill_is_charged_and_says_what_for() -> None:
    billing = _billing()
    assert await billing.bill(BILL) == OrderBilled(
        order_id="ORD-1", charge_id="charge-ORD-1", amount_cents=500, line=LINE
    )
    assert (billing.state.status, billing.state.charges) == (BILLED, 1)


async def test_s70_a_second_bill_charges_nothing_and_gets_the_recorded_answer() -> None:
    billing = _billing()
    first = await billing.bill(BILL)
    assert await billing.bill(BILL) == first
    assert billing.state.charges == 1


@pytest.mark.parametrize(("amount_cents", "status"), [(CHARGE_MAX_CENTS, BILLED), (CHARGE_MAX_CENTS + 1, DECLINED)])
async def test_an_amount_above_the_limit_is_declined(amount_cents: int, status: int) -> None:
    billing = _billing()
    answer = await billing.bill(BillOrder(order_id="ORD-1", amount_cents=amount_cents))
    assert isinstance(answer, PaymentDeclined) is (status == DECLINED)
    assert billing.state.status == status


async def test_a_declined_bill_stays_declined_with_the_same_reason() -> None:
    billing = _billing()
    too_much = BillOrder(order_id="ORD-1", amount_cents=CHARGE_MAX_CENTS + 1)
    first = await billing.bill(too_much)
    assert await billing.bill(too_much) == first
    assert await billing.refund(REFUND) == OrderRefunded(order_id="ORD-1", reason=billing.state.reason)
    assert (billing.state.charges, billing.state.refunds) == (0, 0)


async def test_s70_a_charge_is_refunded_once_and_the_answer_stays_the_same() -> None:
    billing = _billing()
    await billing.bill(BILL)
    first = await billing.refund(REFUND)
    assert first == OrderRefunded(order_id="ORD-1", amount_cents=500, reason="back-ordered")
    assert await billing.refund(REFUND) == first
    assert (billing.state.status, billing.state.refunds) == (REFUNDED, 1)


async def test_s69_a_bill_that_comes_after_the_order_was_called_off_charges_nothing() -> None:
    billing = _billing()
    assert await billing.close(CLOSE) is None
    assert billing.state.status == CLOSED
    assert isinstance(await billing.bill(BILL), PaymentDeclined)
    assert billing.state.charges == 0


async def test_a_refunded_bill_is_not_charged_again() -> None:
    billing = _billing()
    await billing.bill(BILL)
    await billing.refund(REFUND)
    assert isinstance(await billing.bill(BILL), PaymentDeclined)
    assert billing.state.charges == 1


async def test_closing_a_charged_bill_refunds_it_and_says_so_once() -> None:
    billing = _billing()
    await billing.bill(BILL)
    assert await billing.close(CLOSE) == OrderRefunded(order_id="ORD-1", amount_cents=500, reason="called off")
    assert await billing.close(CLOSE) is None
    assert billing.state.refunds == 1


@pytest.mark.parametrize("order", list(itertools.permutations(("bill", "refund", "close", "bill", "refund")))[::7])
async def test_in_whatever_order_messages_come_money_moves_at_most_once_each_way(order: tuple[str, ...]) -> None:
    billing = _billing()
    for name in order:
        await getattr(billing, name)({"bill": BILL, "refund": REFUND, "close": CLOSE}[name])
    assert billing.state.refunds <= billing.state.charges <= 1
    assert billing.state.status in (REFUNDED, CLOSED)
    assert (billing.state.charges == 1) is (billing.state.status == REFUNDED)
