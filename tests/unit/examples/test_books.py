"""The check of the books must find each thing that can be wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from examples.books import OrderBooks, at_rest, mistakes
from protos.billing_pb2 import BILLED, REFUNDED, BillState
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, PENDING, READY_TO_SHIP, OrderLine, OrderState
from protos.warehouse_pb2 import StockState
from runtime.protos.saga_pb2 import SagaRecord


def sound() -> OrderBooks:
    """Two orders that shipped, in either style, and one that was back-ordered and refunded."""
    line = OrderLine(sku="book", quantity=2)
    shipped = OrderState(
        order_id="a", line=line, amount_cents=500, status=READY_TO_SHIP, label_id="label-a", flow=ORCHESTRATION
    )
    by_events = OrderState(
        order_id="b", line=line, amount_cents=500, status=READY_TO_SHIP, label_id="label-b", flow=CHOREOGRAPHY
    )
    refunded = OrderState(order_id="c", line=line, amount_cents=700, status=CANCELLED, flow=ORCHESTRATION)
    return OrderBooks(
        orders={"a": shipped, "b": by_events, "c": refunded},
        bills={
            "a": BillState(order_id="a", amount_cents=500, status=BILLED, charges=1),
            "b": BillState(order_id="b", amount_cents=500, status=BILLED, charges=1),
            "c": BillState(order_id="c", amount_cents=700, status=REFUNDED, charges=1, refunds=1),
        },
        processes={"a": SagaRecord(status=SagaRecord.COMPLETED), "c": SagaRecord(status=SagaRecord.COMPENSATED)},
        stock={"book": StockState(sku="book", on_hand=6, restocked=10, labelled=4, labels=2, back_orders=1)},
        waiting=0,
        dead_letters=(),
    )


def test_books_that_add_up_have_no_mistakes() -> None:
    assert mistakes(sound()) == []
    assert at_rest(sound())


def spoil(change: Callable[[OrderBooks], OrderBooks | None]) -> OrderBooks:
    books = sound()
    return change(books) or books


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda books: setattr(books.orders["a"], "status", PENDING), "order 'a' never ended: it is PENDING"),
        (
            lambda books: setattr(books.bills["a"], "charges", 2),
            "order 'a' is READY_TO_SHIP with a bill BILLED, 2 char",
        ),
        (lambda books: setattr(books.bills["a"], "refunds", 1), "1 charges and 1 refunds"),
        (lambda books: setattr(books.bills["a"], "amount_cents", 499), "499 of 500 cents"),
        (lambda books: books.bills.pop("b") and None, "order 'b' is READY_TO_SHIP with a bill UNBILLED"),
        (lambda books: setattr(books.bills["c"], "status", BILLED), "order 'c' is CANCELLED with a bill BILLED"),
        (lambda books: setattr(books.bills["c"], "refunds", 2), "1 charges and 2 refunds"),
        (lambda books: setattr(books.bills["c"], "refunds", 0), "1 charges and 0 refunds"),
        (lambda books: setattr(books.orders["a"], "label_id", ""), "order 'a' is ready to ship and has no label"),
        (lambda books: books.processes.pop("a") and None, "order 'a' is READY_TO_SHIP while its process is missing"),
        (
            lambda books: setattr(books.processes["c"], "status", SagaRecord.STUCK),
            "order 'c' is CANCELLED while its process is STUCK",
        ),
        (lambda books: books.processes.update(b=SagaRecord()), "both styles drove it"),
        (lambda books: setattr(books.stock["book"], "on_hand", 7), "stock of 'book' is 7, of 10 put in"),
        (lambda books: setattr(books.stock["book"], "labelled", 6), "lost 6 units to labels, while 4 are ready"),
        (lambda books: setattr(books.stock["book"], "labels", 3), "has 3 labels for 2 orders"),
        (lambda books: books.bills.update(x=BillState()), "there is a bill for 'x', which nobody ordered"),
        (lambda books: replace(books, waiting=3), "3 messages still wait"),
        (
            lambda books: replace(books, dead_letters=("billing/a: broken",)),
            "a message was given up: billing/a: broken",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_is_found_and_named(change: Callable[[OrderBooks], OrderBooks | None], said: str) -> None:
    assert any(said in mistake for mistake in mistakes(spoil(change)))


def test_books_are_not_at_rest_while_a_message_waits_or_an_order_is_open() -> None:
    assert not at_rest(replace(sound(), waiting=1))
    books = sound()
    books.orders["a"].status = PENDING
    assert not at_rest(books)
