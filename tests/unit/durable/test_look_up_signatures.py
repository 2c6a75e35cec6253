"""A look-up that could not be run as one is refused when the class of its service is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled, OrderRefunded, PaymentDeclined, RefundOrder
from protos.sales_pb2 import OrderPlaced
from runtime.durable.look_up import Absent, looks_up
from runtime.durable.service import Service
from runtime.errors import InvalidDefinition
from tests.unit.saga.made import made


async def bill(self: Any, command: BillOrder) -> OrderBilled | PaymentDeclined:
    raise NotImplementedError


async def on_placed(self: Any, event: OrderPlaced) -> OrderBilled | None:
    raise NotImplementedError


async def of_another(self: Any, command: RefundOrder) -> OrderBilled | Absent:
    raise NotImplementedError


async def finds_another(self: Any, command: BillOrder) -> OrderRefunded | Absent:
    raise NotImplementedError


async def finds_nothing(self: Any, command: BillOrder) -> Absent:
    raise NotImplementedError


async def finds_none(self: Any, command: BillOrder) -> OrderBilled | None:
    raise NotImplementedError


async def unannotated(self: Any, command: BillOrder):  # type: ignore[no-untyped-def]
    raise NotImplementedError


async def takes_two(self: Any, command: BillOrder, more: int) -> OrderBilled | Absent:
    raise NotImplementedError


async def good(self: Any, command: BillOrder) -> OrderBilled | Absent:
    raise NotImplementedError


async def good_too(self: Any, command: BillOrder) -> OrderBilled | Absent:
    raise NotImplementedError


async def of_event(self: Any, event: OrderPlaced) -> OrderBilled | Absent:
    raise NotImplementedError


def _any(value: object) -> Any:
    """What no type checker lets through."""
    return value


def service(**members: Any) -> type[Service[BillState]]:
    """A service with these members beside its handler."""
    return made("X", Service[BillState], {"bill": bill, **members}, kind="billing")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: service(found=looks_up(bill)(of_another)), "X.found takes one parameter, annotated with what bill"),
        (lambda: service(found=looks_up(bill)(takes_two)), "X.found takes one parameter"),
        (lambda: service(found=looks_up(bill)(finds_another)), "may return shop.OrderRefunded, which bill does not"),
        (lambda: service(found=looks_up(bill)(finds_nothing)), "X.found needs a return annotation"),
        (lambda: service(found=looks_up(bill)(finds_none)), "None says nothing"),
        (lambda: service(found=looks_up(bill)(unannotated)), "X.found needs a return annotation"),
        (
            lambda: service(found=looks_up(of_another)(good)),
            "'of_another' handles, and that is no handler of X",
        ),
        (lambda: service(found=looks_up(bill)), "X.found: name the handler whose command it looks up"),
        (
            lambda: service(a=looks_up(bill)(good), b=looks_up(bill)(good_too)),
            "X.b and X.a both look up",
        ),
        (lambda: service(on_placed=on_placed, found=looks_up(on_placed)(of_event)), "which is no command"),
        (lambda: looks_up(_any("bill")), "'bill' is no `async def`"),
        (lambda: looks_up(bill)(_any(lambda self, command: None)), "is no `async def`; it asks an outside system"),
    ],
)
def test_a_wrong_look_up_is_refused_with_its_cure(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidDefinition, match=message.replace("(", r"\(").replace(")", r"\)")):
        wrong()


def test_a_look_up_is_no_handler() -> None:
    found = service(found=looks_up(bill)(good))
    assert [spec.name for spec in found.handlers.values()] == ["bill"]
    (look_up,) = found.look_ups.values()
    assert (look_up.name, look_up.command, look_up.answer_types) == ("found", BillOrder, (OrderBilled,))


def test_a_subclass_has_the_look_ups_of_its_base() -> None:
    base = service(found=looks_up(bill)(good))
    derived = made("Derived", base, {}, kind="billing")
    assert [one.name for one in derived.look_ups.values()] == ["found"]


async def test_a_look_up_is_tested_by_calling_it() -> None:
    class LookedUpTill(Service[BillState], kind="billing"):
        async def bill(self, command: BillOrder) -> OrderBilled:
            return OrderBilled(order_id=self.key)

        @looks_up(bill)
        async def was_billed(self, command: BillOrder) -> OrderBilled | Absent:
            return OrderBilled(order_id=self.message_id.hex()) if self.state.charges else Absent()

    assert await LookedUpTill.of().was_billed(BillOrder()) == Absent()
    charged = LookedUpTill.of(BillState(charges=1), message_id=b"\x01" * 16)
    assert await charged.was_billed(BillOrder()) == OrderBilled(order_id="01" * 16)
