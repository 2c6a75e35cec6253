"""Sagas whose participants take their time: every schedule is seen and sound, and planted mistakes are found."""

from __future__ import annotations

import pytest

from runtime.durable.turn import guard
from runtime.durable.turn.guard import Finding
from runtime.envelope import Envelope
from runtime.protos.saga_pb2 import Exchange, TaskRecord
from runtime.saga import exchange
from runtime.saga.instance import Instance
from runtime.saga.node import StepDefinition
from runtime.saga.nodes import pace
from runtime.saga.verdict import NOTHING, TaskVerdict
from runtime.store.records import HistoryRow, Outcome
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from tests.unit.testing.explorer.sagas import ChoosySaga, SlowSaga
from tests.unit.testing.explorer.test_wrong_engine import found

FEW = Bounds(faults_max=1, silences_max=1, poisons_max=0, replays_max=0, duplicates_max=0)


def test_every_schedule_of_a_slow_saga_is_sound() -> None:
    result = explore(SlowSaga, bounds=Bounds(faults_max=1, silences_max=1, poisons_max=0, replays_max=0))
    result.check()
    assert set(result.ends) == {"completed", "compensated"}


def test_that_holds_for_participants_that_fail_for_good_and_operators_that_mend_them() -> None:
    result = explore(SlowSaga, bounds=Bounds(faults_max=1, silences_max=1, duplicates_max=0))
    result.check()
    assert set(result.ends) == {"completed", "compensated", "stuck"}


def test_how_often_a_participant_says_that_it_is_not_finished_is_a_bound() -> None:
    calm = {"faults_max": 0, "silences_max": 0, "duplicates_max": 0, "poisons_max": 0, "replays_max": 0}
    states = [explore(SlowSaga, bounds=Bounds(**calm, workings_max=n)).states for n in range(3)]
    assert states == sorted(set(states))
    quick = [explore(ChoosySaga, bounds=Bounds(**calm, workings_max=n)).states for n in range(2)]
    assert quick[0] == quick[1], "it costs nothing where nothing may take its time"


def test_an_undo_that_counts_as_done_by_one_that_was_not_finished_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def settled(row: HistoryRow, undo: Envelope) -> bool:
        return row.outcome in (Outcome.HANDLED, Outcome.UNDONE)

    monkeypatch.setattr(exchange, "unsettled_ids", exchange.ids)
    monkeypatch.setattr(guard, "_has_settled", settled)
    found(SlowSaga, "I5", "it says compensated, and the effect of step ship is in place", moves_max=11, bounds=FEW)


def test_the_guard_alone_keeps_that_from_happening(monkeypatch: pytest.MonkeyPatch) -> None:
    """The saga names such an undo; what it answered is in the history."""
    monkeypatch.setattr(exchange, "unsettled_ids", exchange.ids)
    assert explore(SlowSaga, bounds=FEW).complete


def test_a_guard_that_judges_by_the_last_command_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unchanged(finding: Finding, undo: Envelope) -> Finding:
        return finding

    monkeypatch.setattr(guard, "of_begun", unchanged)
    found(SlowSaga, "I5", "it says compensated, and the effect of step ship is in place", moves_max=9, bounds=FEW)


def test_a_saga_that_forgets_to_ask_again_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def heard(
        saga: Instance, step: StepDefinition, task: TaskRecord, question: Exchange, command_id: bytes, name: str
    ) -> TaskVerdict:
        exchange.working(question, command_id, saga.now_s)
        saga.timers.clear()
        return NOTHING

    monkeypatch.setattr(pace, "heard", heard)
    monkeypatch.setattr(pace, "over", lambda saga, step, question: NOTHING)
    found(SlowSaga, "I4", "nothing will ever move it", moves_max=4, bounds=FEW)


def test_a_refusal_that_is_put_off_by_what_was_worked_on_before_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command before is kept among those in doubt, so the question is never settled."""
    working = exchange.working

    def doubtful(question: Exchange, command_id: bytes, now_s: float) -> bool:
        is_news = working(question, command_id, now_s)
        if is_news:
            question.earlier_ids.append(command_id)
        return is_news

    monkeypatch.setattr(exchange, "working", doubtful)
    found(SlowSaga, "I6", "step ship is undone, although it was refused", moves_max=8, bounds=FEW)
