"""Records that differ in their past alone stand for one another, unless an engine or an author reads the past."""

from __future__ import annotations

from typing import Any

import pytest

from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import CancelOrder, OrderCancelled
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga import compensation
from runtime.saga.flow import Flow
from runtime.saga.instance import Instance
from runtime.saga.node import StepDefinition
from runtime.saga.nodes import undoing
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.saga.verdict import UNDONE, TaskVerdict
from runtime.testing.explorer.alike import Alike
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.driver import SagaDriver
from runtime.testing.explorer.explore import explore, searched
from runtime.testing.explorer.fewer_moves import FewerMoves
from runtime.testing.explorer.leftovers import Leftovers
from runtime.testing.explorer.pasts import joined, split
from runtime.testing.explorer.samples import Samples
from runtime.testing.explorer.search import Search
from tests.proof.mutants.small_sagas import SMALL_SAGAS
from tests.proof.mutants.switchboard import planted
from tests.proof.mutants.wholes import WHOLES
from tests.unit.saga.shop import cancel_order
from tests.unit.testing.explorer.sagas import STARTED, NoPivot, bill, ship

BOUNDS = Bounds(faults_max=1, silences_max=1, duplicates_max=0, cancels_max=0, poisons_max=0, replays_max=0)

NONE_ALIKE = ("what was answered", "an approval past the pivot")
"""Small sagas of which no two records differ in their past alone."""


class TwoUndos(Saga[OrderProcessState], kind="two-undos"):
    """Bill and label are undone side by side."""

    started_by = STARTED
    bill = bill()
    ship = ship()
    flow = Flow((bill, ship), ())
    closing = Step(cancel_order, done=OrderCancelled)


def explain(state: OrderProcessState, reason: str) -> CancelOrder:
    if "no answer" in reason:
        raise ValueError("nobody can explain a silence")
    return CancelOrder(order_id=state.order_id, reason=reason)


class Explaining(Saga[OrderProcessState], kind="explaining"):
    """Its closing step cannot explain one of the reasons for which it turns back."""

    started_by = STARTED
    bill = bill()
    ship = ship()
    flow = bill >> ship
    closing = Step(explain, done=OrderCancelled)


def broken(saga: type[Saga[Any]], *, every_move: bool = False) -> set[tuple[str, str]]:
    result = explore(saga, bounds=BOUNDS, every_move=every_move)
    return {(one.check, one.what) for one in result.violations}


def test_an_engine_that_reads_how_often_a_settled_undo_was_asked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The label was voided long before the saga closes, and the search has gone on from where it was voided at once."""
    close = compensation.close

    def hasty(saga: Instance) -> None:
        bill, ship = saga.tasks[:2]
        if bill.status == ship.status == TaskRecord.UNDONE and ship.undo.attempts > 1:
            saga.end(SagaRecord.COMPENSATED)
        else:
            close(saga)

    monkeypatch.setattr(compensation, "close", hasty)
    found = broken(NoPivot)
    assert ("I11", "it says compensated, and closing was not carried out") in found
    assert found == broken(NoPivot, every_move=True)


def test_an_engine_that_reads_how_the_do_of_an_owed_undo_went_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command to make the bill was given no answer before the last one, and the undo is asked once more."""
    undo = undoing.undo

    def careless(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
        if task.undo.attempts and task.do.earlier_ids:
            task.status = TaskRecord.UNDONE
            return UNDONE
        return undo(saga, step, task)

    monkeypatch.setattr(undoing, "undo", careless)
    found = broken(NoPivot)
    assert any(check == "I11" for check, _ in found)
    assert found == broken(NoPivot, every_move=True)


def test_a_function_that_fails_for_one_reason_of_turning_back_is_found() -> None:
    """That reason need not be the one with which the search went on."""
    found = broken(Explaining)
    assert found == {("author", "do of step closing raised ValueError: nobody can explain a silence")}
    assert found == broken(Explaining, every_move=True)


def test_a_reason_to_which_each_trial_adds_does_not_keep_a_search_from_its_end() -> None:
    """A child that stays is named in the reason of turning back, and with this bug it is named again and again."""
    (bug,) = [one for one in WHOLES if one.name == "child-that-may-not-stay-does"]
    with planted(bug):
        result = explore(SMALL_SAGAS["a child"], bounds=Bounds(faults_max=1, silences_max=1))
    assert "I6" in {one.check for one in result.violations}


class Apart(Alike):
    """Each record stands for itself."""

    def first(self, record: int) -> int:
        return record


@pytest.mark.parametrize("name", SMALL_SAGAS)
def test_a_right_engine_reads_no_past(name: str) -> None:
    """Here a search keeps all records apart. None reacts in another way than the one that would stand for it."""
    driver = SagaDriver(SMALL_SAGAS[name], Samples(SMALL_SAGAS[name].definition), BOUNDS.asks_max)
    moves = FewerMoves(driver, BOUNDS, Leftovers(driver), Apart(driver))
    Search(driver, moves, BOUNDS.states_max, lambda *_: None, str).run()
    alike = Alike(driver)
    stand = {alike.first(record) for record in range(len(driver.views))}
    assert (len(stand) == len(driver.views)) == (name in NONE_ALIKE)
    assert not alike.refute()


def test_a_record_is_what_counts_of_it_and_its_past() -> None:
    driver = SagaDriver(TwoUndos, Samples(TwoUndos.definition), 2)
    searched(driver, BOUNDS, lambda *_: None, str, every_move=True)
    statuses: set[int] = set()
    for number in range(len(driver.views)):
        record, parts = driver.record(number), split(driver.record(number))
        assert joined(parts, parts.reason, [past.body for past in parts.pasts]) == record
        statuses |= {record.tasks[past.of[0]].status for past in parts.pasts}
    assert statuses == {TaskRecord.UNDONE, TaskRecord.REFUSED, TaskRecord.OWED}
