"""The storm's audit: everything that can be off is seen, from the participants' files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from examples.storm.audit import AuditVerdict, judge, read_movements
from examples.storm.participants import BANK_LOG, DEPOT_LOG
from protos.orders_pb2 import Order, Stock
from protos.sales_pb2 import CANCELLED, PENDING, READY_TO_SHIP, OrderLine, OrderStatus


def move(what: str, key: str, answer: int, *, order: str = "A", sku: str = "", message: str = "m") -> dict[str, Any]:
    entry: dict[str, Any] = {"what": what, "key": key, "answer": answer, "order": order, "message": message}
    return {**entry, "sku": sku} if sku else entry


def order(status: OrderStatus.ValueType, key: str = "A", cents: int = 500, units: int = 2) -> Order:
    return Order(order_id=key, status=status, amount_cents=cents, line=OrderLine(sku="chair", quantity=units))


CHARGE = move("charge", "1", 500)
REFUND = move("refund", "2", 500)
PUT = {"what": "put", "key": "3", "answer": 5, "sku": "chair"}
LABEL = move("label", "4", 2, sku="chair")
VOID = move("void", "5", 2, sku="chair")


def verdict(
    directory: Path, bank: list[object], depot: list[object], orders: list[Order], on_hand: int = 5
) -> AuditVerdict:
    for name, entries in ((BANK_LOG, bank), (DEPOT_LOG, depot)):
        (directory / name).write_text("".join(json.dumps(one) + "\n" for one in entries))
    return judge(read_movements(directory), orders, [Stock(sku="chair", on_hand=on_hand)])


@pytest.mark.parametrize(
    ("bank", "depot", "orders", "on_hand"),
    [
        ([CHARGE], [PUT, LABEL], [order(READY_TO_SHIP)], 3),
        ([CHARGE, REFUND], [PUT], [order(CANCELLED)], 5),
        ([CHARGE, REFUND], [PUT, LABEL, VOID], [order(CANCELLED)], 5),
        ([], [PUT], [order(CANCELLED)], 5),
        ([CHARGE, CHARGE], [PUT, LABEL, LABEL, LABEL], [order(READY_TO_SHIP)], 3),
        ([move("charge", "1", 0)], [PUT, move("label", "4", 0, sku="chair")], [order(CANCELLED)], 5),
    ],
    ids=["shipped", "refunded", "voided", "declined", "asked again", "refused"],
)
def test_what_adds_up_is_clean(
    tmp_path: Path, bank: list[object], depot: list[object], orders: list[Order], on_hand: int
) -> None:
    assert verdict(tmp_path, bank, depot, orders, on_hand) == AuditVerdict(0, 0, ())


@pytest.mark.parametrize(
    ("bank", "depot", "orders", "on_hand", "off", "says"),
    [
        ([CHARGE], [PUT], [order(CANCELLED)], 5, (500, 0), "A is CANCELLED, and +500 cents and +0 units are out"),
        ([], [PUT, LABEL], [order(READY_TO_SHIP)], 3, (500, 0), "A is READY_TO_SHIP, and -500 cents"),
        ([CHARGE], [PUT], [order(READY_TO_SHIP)], 5, (0, 2), "-2 units are out"),
        ([CHARGE, REFUND], [PUT, LABEL], [order(CANCELLED)], 3, (0, 2), "+2 units are out"),
        ([CHARGE], [PUT, LABEL], [], 3, (500, 2), "A is not an order"),
        ([CHARGE], [PUT], [order(PENDING)], 5, (500, 0), "A is PENDING"),
        ([CHARGE], [PUT, LABEL], [order(READY_TO_SHIP)], 4, (0, 1), "chair: 4 are said to be on hand, 3 are"),
        ([CHARGE, move("charge", "9", 500)], [PUT, LABEL], [order(READY_TO_SHIP)], 3, (500, 0), "A had 2 of charge"),
        (
            [CHARGE, move("charge", "9", 500), move("refund", "2", 1000)],
            [PUT],
            [order(CANCELLED)],
            5,
            (0, 0),
            "A had 2 of charge",
        ),
        ([CHARGE], [LABEL, PUT], [order(READY_TO_SHIP)], 3, (0, 0), "never less than -2"),
        ([CHARGE, {**CHARGE, "order": "B"}], [PUT, LABEL], [order(READY_TO_SHIP)], 3, (0, 0), "two effects: 1"),
        ([CHARGE, {**CHARGE, "answer": 7}], [PUT, LABEL], [order(READY_TO_SHIP)], 3, (0, 0), "two effects: 1"),
    ],
)
def test_what_is_off_is_counted_and_named(
    tmp_path: Path,
    bank: list[object],
    depot: list[object],
    orders: list[Order],
    on_hand: int,
    off: tuple[int, int],
    says: str,
) -> None:
    found = verdict(tmp_path, bank, depot, orders, on_hand)
    assert (found.cents_off, found.units_off) == off
    assert any(says in fault for fault in found.faults), found.faults


def test_two_orders_that_are_off_in_opposite_ways_do_not_make_up_for_each_other(tmp_path: Path) -> None:
    orders = [order(CANCELLED, "A"), order(READY_TO_SHIP, "B", units=0)]
    assert verdict(tmp_path, [CHARGE], [PUT], orders).cents_off == 1000


def test_requests_that_came_again_are_counted(tmp_path: Path) -> None:
    verdict(tmp_path, [CHARGE, {**CHARGE, "message": "other"}, CHARGE], [PUT, PUT], [])
    assert read_movements(tmp_path).repeated == 3


def test_a_file_that_is_no_journal_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / BANK_LOG).write_text(json.dumps(CHARGE) + "\nnonsense\n")
    with pytest.raises(ValueError, match=r"bank\.log, line 2 is none of a participant: 'nonsense'"):
        read_movements(tmp_path)
