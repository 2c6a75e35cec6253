"""Bank and depot of the storm: the answer to a key is final, and what moved is in their files."""

from __future__ import annotations

import json
from pathlib import Path

from examples.storm.participants import BANK_LOG, DEPOT_LOG, Bank, Depot


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_money_moves_once_for_a_key_and_the_repetition_is_in_the_file(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    charge = {"what": "charge", "key": "1", "order": "A", "units": 500}
    assert [bank.charge(charge), bank.charge(charge)] == [500, 500]
    assert [bank.refund({"what": "refund", "key": "2", "order": "A"}) for _ in range(2)] == [500, 500]
    assert bank.refund({"what": "refund", "key": "3", "order": "A"}) == 0
    assert [line["answer"] for line in lines(tmp_path / BANK_LOG)] == [500, 500, 500, 500, 0]


def test_a_charge_that_comes_after_the_refund_of_its_order_takes_nothing(tmp_path: Path) -> None:
    bank = Bank(tmp_path)
    assert bank.refund({"what": "refund", "key": "2", "order": "A"}) == 0
    assert bank.charge({"what": "charge", "key": "1", "order": "A", "units": 500}) == 0
    assert bank.charge({"what": "charge", "key": "4", "order": "B", "units": 500}) == 500


def test_goods_leave_as_long_as_there_are_enough_and_a_refusal_is_final(tmp_path: Path) -> None:
    depot = Depot(tmp_path)
    put = {"what": "put", "key": "1", "sku": "chair", "units": 3}
    assert [depot.put(put), depot.put(put)] == [3, 3]
    first = {"what": "label", "key": "2", "order": "A", "sku": "chair", "units": 2}
    second = {"what": "label", "key": "3", "order": "B", "sku": "chair", "units": 2}
    assert (depot.label(first), depot.label(second), depot.label(first)) == (2, 0, 2)
    assert depot.put({"what": "put", "key": "4", "sku": "chair", "units": 9}) == 9
    assert depot.label(second) == 0
    assert depot.label({"what": "label", "key": "5", "order": "C", "sku": "chair", "units": 10}) == 10
    assert depot.label({"what": "label", "key": "6", "order": "D", "sku": "chair", "units": 1}) == 0
    assert len(lines(tmp_path / DEPOT_LOG)) == 9


def test_a_void_brings_back_the_label_of_its_order_once_and_closes_the_order(tmp_path: Path) -> None:
    depot = Depot(tmp_path)
    depot.put({"what": "put", "key": "1", "sku": "chair", "units": 2})
    label = {"what": "label", "key": "2", "order": "A", "sku": "chair", "units": 2}
    void = {"what": "void", "key": "3", "order": "A", "sku": "chair"}
    assert (depot.label(label), depot.void(void), depot.void(void)) == (2, 2, 2)
    assert depot.void({**void, "key": "4"}) == 0
    assert depot.label({**label, "key": "5"}) == 0
    assert depot.label({**label, "key": "6", "order": "B"}) == 2
