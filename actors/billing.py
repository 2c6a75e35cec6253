"""Billing charges an order once and refunds it once. One actor per order id."""

from __future__ import annotations

from protos.billing_pb2 import (
    BILLED,
    CLOSED,
    DECLINED,
    REFUNDED,
    UNBILLED,
    BillOrder,
    BillState,
    CloseBill,
    OrderBilled,
    OrderRefunded,
    PaymentDeclined,
    RefundOrder,
)
from runtime import Service

__all__ = ["CHARGE_MAX_CENTS", "Billing"]

CHARGE_MAX_CENTS = 1_000_000
"""Payments above this are declined."""


class Billing(Service[BillState], kind="billing", effects="none"):
    """Money moves at most once each way, whatever is asked how often and in which order."""

    async def bill(self, command: BillOrder) -> OrderBilled | PaymentDeclined:
        bill = self.state
        bill.order_id = self.key
        if bill.status == UNBILLED:
            self._charge(command.amount_cents)
        if bill.status == BILLED:
            return OrderBilled(
                order_id=self.key, charge_id=bill.charge_id, amount_cents=bill.amount_cents, line=command.line
            )
        if bill.status == DECLINED:
            return PaymentDeclined(order_id=self.key, reason=bill.reason)
        return PaymentDeclined(order_id=self.key, reason="the order was called off before")

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        """Always answered, with what was given back: 0 if nothing had been charged."""
        self._close(command.reason)
        return self._refunded()

    async def close(self, command: CloseBill) -> OrderRefunded | None:
        """The order is off. Says something only if money went back because of it."""
        had_charge = self.state.status == BILLED
        self._close(command.reason)
        return self._refunded() if had_charge else None

    def _charge(self, amount_cents: int) -> None:
        bill = self.state
        if amount_cents > CHARGE_MAX_CENTS:
            bill.status = DECLINED
            bill.reason = f"{amount_cents} cents are above the limit of {CHARGE_MAX_CENTS} cents"
            return
        bill.status = BILLED
        bill.amount_cents = amount_cents
        bill.charge_id = f"charge-{self.key}"
        bill.charges += 1

    def _close(self, reason: str) -> None:
        bill = self.state
        bill.order_id = self.key
        if bill.status == BILLED:
            bill.status = REFUNDED
            bill.refunds += 1
            bill.reason = reason
        elif bill.status == UNBILLED:
            bill.status = CLOSED
            bill.reason = reason

    def _refunded(self) -> OrderRefunded:
        bill = self.state
        amount_cents = bill.amount_cents if bill.status == REFUNDED else 0
        return OrderRefunded(order_id=self.key, amount_cents=amount_cents, reason=bill.reason)
