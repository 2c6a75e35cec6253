"""The saga by itself: a manager approves the offer as it is, declines it, or stays silent."""

from __future__ import annotations

from examples.purchase.purchase_pb2 import (
    BudgetExceeded,
    BudgetReserved,
    BudgetReturned,
    CancelPurchase,
    ConfirmPurchase,
    NotForSale,
    OrderPlaced,
    PlaceOrder,
    PurchaseConfirmed,
    PurchaseRequested,
    ReserveBudget,
    ReturnBudget,
)
from examples.purchase.saga import Buy
from runtime.protos.saga_pb2 import RepairRefused, RepairSaga
from runtime.testing import SagaTranscript

REQUESTED = PurchaseRequested(
    purchase_id="P-1", department="lab", requested_by="carla", item="laptop", price_cents=150_000
)
RESERVED = BudgetReserved(purchase_id="P-1")


def asked() -> SagaTranscript:
    buy = SagaTranscript(Buy).given(REQUESTED).expect(ReserveBudget)
    buy.given(RESERVED).expect()
    assert buy.step_status("manager") == "to be approved"
    return buy


def act(buy: SagaTranscript, kind: RepairSaga.Act.ValueType, who: str = "anna", digest: str = "") -> RepairSaga:
    """What a manager does, by the digest of what they have seen."""
    return RepairSaga(act=kind, task="manager", who=who, digest=digest or buy.step("manager").digest)


def test_what_a_manager_approves_is_ordered() -> None:
    buy = asked()
    buy.given_approved("manager", by="anna")
    buy.expect(PlaceOrder(purchase_id="P-1", item="laptop", approved_by="anna"))
    buy.given(OrderPlaced(purchase_id="P-1"), to=buy.command(PlaceOrder)).expect(ConfirmPurchase)
    buy.given(PurchaseConfirmed(purchase_id="P-1")).expect_status("completed")


def test_a_manager_who_declines_gives_the_budget_its_money_back() -> None:
    buy = asked()
    buy.given_declined("manager", by="anna").expect(ReturnBudget)
    buy.given(BudgetReturned(purchase_id="P-1"), to=buy.command(ReturnBudget)).expect(CancelPurchase)


def test_silence_for_three_days_is_a_no() -> None:
    buy = asked()
    began_s = buy.now_s
    buy.given_silence("manager").expect(ReturnBudget(department="lab", purchase_id="P-1", price_cents=150_000))
    assert buy.now_s - began_s == 3 * 86_400


def test_nobody_approves_a_purchase_of_their_own() -> None:
    buy = asked()
    buy.given_approved("manager", by="carla").expect(RepairRefused)
    buy.given_approved("manager", by="bert").expect(RepairRefused)
    assert buy.step_status("manager") == "to be approved"


def test_something_else_than_was_asked_for_is_not_approved() -> None:
    buy = asked()
    buy.given_act(act(buy, RepairSaga.APPROVE, digest="0123456789abcdef")).expect(RepairRefused)


def test_a_purchase_beyond_the_budget_asks_no_manager() -> None:
    buy = SagaTranscript(Buy).given(REQUESTED)
    buy.given(BudgetExceeded(purchase_id="P-1", left_cents=5)).expect(CancelPurchase)


def test_a_supplier_who_refuses_gives_the_budget_its_money_back() -> None:
    buy = asked()
    buy.given_act(act(buy, RepairSaga.APPROVE))
    buy.given(NotForSale(purchase_id="P-1"), to=buy.command(PlaceOrder)).expect(ReturnBudget)


def test_an_order_without_an_answer_is_asked_for_again_since_it_may_be_on_its_way() -> None:
    buy = asked()
    buy.given_act(act(buy, RepairSaga.APPROVE))
    buy.given_silence("order").expect(PlaceOrder).expect_status("running")
