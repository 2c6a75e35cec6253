"""Mistakes in one step of a saga that Python lets pass, or tells in its own words, are refused by place."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, OrderBilled, OrderRefunded, RefundOrder
from protos.orders_pb2 import OrderProcessState
from runtime.errors import InvalidDefinition
from runtime.saga.catalogue import Catalogue
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from tests.unit.saga.shop import cancel_order
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES, a_process, a_step
from tests.unit.saga.test_checks import STARTED, bill, define, one


@pytest.mark.parametrize("reason", [5, True, None, b"because", ("why",)])
def test_a_reason_that_is_no_text_is_refused(reason: Any) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: no_undo says in words why there is no undo; it is "):
        one(bill(no_undo=reason))


@pytest.mark.parametrize("reason", ["\ud800", "it stays \udfff"])
def test_a_reason_with_half_a_character_is_refused(reason: str) -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.bill: no_undo holds half a character"):
        one(bill(no_undo=reason))


@pytest.mark.parametrize(
    "name", ["__slots__", "__qualname__", "__module__", "__doc__", "__hash__", "__init_subclass__", "__classcell__"]
)
def test_a_step_cannot_have_a_name_of_pythons_own(name: str) -> None:
    step: Any = bill()
    body: dict[str, Any] = {name: step, "flow": step}
    with pytest.raises(InvalidDefinition, match=rf"Wrong.{name}: the name is Python's own"):
        define(**body)
    with pytest.raises(InvalidDefinition, match=r"Wrong.__slots__: the name is Python's own"):

        class Wrong(Saga[OrderProcessState], kind="wrong"):
            started_by = STARTED
            __slots__ = step
            flow = step


# --- what a function takes for the state ---


def bill_of_command(state: BillOrder) -> BillOrder:
    return state


def refund_of_command(state: RefundOrder, reason: str) -> RefundOrder:
    return state


def keep_of_command(state: BillOrder, event: OrderBilled) -> None:
    return None


def keep_reversed(event: OrderBilled, state: OrderBilled) -> None:
    return None


def bill_of_any(state: Message) -> BillOrder:
    return BillOrder()


def bill_of_whatever(state: Any) -> BillOrder:
    return BillOrder()


def bill_bare(state) -> BillOrder:  # type: ignore[no-untyped-def]
    return BillOrder()


@pytest.mark.parametrize(
    ("step", "place"),
    [
        (bill(do=bill_of_command), "bill.do: bill_of_command takes shop.BillOrder"),
        (bill(undo=refund_of_command, undone=OrderRefunded), "bill.undo: refund_of_command takes shop.RefundOrder"),
        (bill(on_answer=keep_of_command), "bill.on_answer: keep_of_command takes shop.BillOrder"),
        (bill(on_answer=keep_reversed), "bill.on_answer: keep_reversed takes shop.OrderBilled"),
    ],
)
def test_a_function_of_another_state_is_refused(step: Any, place: str) -> None:
    with pytest.raises(InvalidDefinition, match=rf"Wrong.{place} first, and is given the state shop.OrderProcessState"):
        one(step)


def test_a_closing_command_of_another_state_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match=r"Wrong.closing.do: bill_of_command takes shop.BillOrder first"):
        one(bill(), closing=Step(bill_of_command, done=OrderBilled))


@pytest.mark.parametrize("do", [bill_of_any, bill_of_whatever, bill_bare])
def test_a_function_that_says_less_of_the_state_is_fine(do: Any) -> None:
    assert one(bill(do=do), closing=Step(cancel_order, done=OrderBilled))


def test_an_answer_that_is_no_event_can_never_come() -> None:
    process = a_process(a_step(done=OrderProcessState), state=OrderProcessState)
    with pytest.raises(InvalidDefinition, match=r"AProcess.bill: shop.OrderProcessState can never come, for billing's"):
        Catalogue(contracts=CONTRACTS, services={**SERVICES, "orchestration": [process]})
