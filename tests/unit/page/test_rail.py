"""The steps of a saga as pairs of do and undo: what stands in the record, and what the definition adds."""

from __future__ import annotations

import pytest

from actors.orchestration import OrderProcess
from protos.sales_pb2 import OrderPlaced
from runtime.page.rail import RailRow, rail_of, remaining
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga.stored import described
from runtime.testing import SagaTranscript
from tests.unit.admin.test_repair import stuck

STORED = described(OrderProcess.definition)


def rows_of(record: SagaRecord) -> dict[str, RailRow]:
    return {row.task.name: row for row in rail_of(record, STORED)}


def test_a_saga_that_goes_forward_has_its_pivot_and_what_remains() -> None:
    rows = rows_of(SagaTranscript(OrderProcess).given(OrderPlaced(order_id="ORD-1", amount_cents=500)).record)
    assert [name for name, row in rows.items() if row.is_pivot] == ["ship"]
    assert (rows["bill"].do, rows["bill"].undo, rows["bill"].tone) == ("BillOrder", "RefundOrder", "moving")
    assert [name for name, row in rows.items() if row.tone == "remaining" and not row.is_closing] == ["ship", "close"]
    assert remaining(tuple(rows.values())) == 2


def test_a_stuck_undo_is_owed_and_what_never_ran_is_quiet() -> None:
    rows = rows_of(stuck())
    assert (rows["bill"].do_is, rows["bill"].undo_is, rows["bill"].is_stuck) == ("done", "owed", True)
    assert rows["bill"].tone == "failed" and rows["close"].tone == "quiet"
    assert remaining(tuple(rows.values())) == 0


@pytest.mark.parametrize(
    ("task", "do_is", "undo_is"),
    [
        (TaskRecord(status=TaskRecord.OWED), "may have been done", "owed"),
        (TaskRecord(status=TaskRecord.UNDONE, do=Exchange(status=Exchange.DONE)), "done", "confirmed"),
        (
            TaskRecord(status=TaskRecord.OWED, undo=Exchange(status=Exchange.OPEN)),
            "may have been done",
            "sent, not confirmed",
        ),
        (TaskRecord(status=TaskRecord.REFUSED), "refused", ""),
        (TaskRecord(status=TaskRecord.SKIPPED), "skipped", "nothing to undo"),
    ],
)
def test_do_and_undo_are_told_apart(task: TaskRecord, do_is: str, undo_is: str) -> None:
    task.path = "bill"
    [row] = rail_of(SagaRecord(status=SagaRecord.COMPENSATING, tasks=[task]), None)
    assert (row.do_is, row.undo_is, row.is_pivot) == (do_is, undo_is, False)


def test_items_of_a_list_stand_below_it_with_its_command() -> None:
    tasks = [TaskRecord(path="lines", status=TaskRecord.RUNNING, inner=1), TaskRecord(path="lines[HAT]", within=1)]
    stored = described(OrderProcess.definition)
    del stored.shape.nodes[1:], stored.terms.nodes[1:]
    stored.shape.nodes[0].name = "lines"
    stored.shape.nodes[0].inner.add(name="item", command="shop.PickLine", undo="shop.PutLineBack")
    stored.terms.nodes[0].inner.add()
    rows = rail_of(SagaRecord(status=SagaRecord.RUNNING, tasks=tasks), stored)
    assert [(row.task.name, row.depth) for row in rows] == [("lines", 0), ("lines[HAT]", 1)]
    assert (rows[1].do, rows[1].undo) == ("PickLine", "PutLineBack")


def test_a_record_that_another_definition_made_is_told_without_it() -> None:
    [row] = rail_of(SagaRecord(tasks=[TaskRecord(path="unknown", within=7)]), STORED)
    assert (row.do, row.undo, row.depth) == ("", "", 0)
