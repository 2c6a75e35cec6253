"""An engine whose sagas do not end as they should, or say what is not so, is found out by a short schedule."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.durable.behaviour import SetTimer
from runtime.protos.saga_pb2 import Exchange, SagaRecord, TaskRecord
from runtime.saga import cancellation, interpreter
from runtime.saga.instance import Instance
from runtime.saga.node import StepDefinition
from runtime.saga.nodes import step as steps
from runtime.saga.nodes import undoing
from runtime.saga.verdict import NOTHING, TaskVerdict, failed
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.explorer.result import Exploration
from tests.unit.saga.shop import FirmOrderProcess, ShopProcess
from tests.unit.testing.explorer.sagas import NoPivot, TailSaga
from tests.unit.testing.explorer.test_wrong_engine import FEW, found


def test_a_saga_that_stops_for_good_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The undo is given up on, and no timer is set to try it again."""

    def faulted(saga: Instance, step: StepDefinition, task: TaskRecord, fault: Any) -> TaskVerdict:
        task.undo.status = Exchange.UNKNOWN
        return NOTHING

    monkeypatch.setattr(undoing, "undo_faulted", faulted)
    found(NoPivot, "I4", "it is compensating, and nothing will ever move it", moves_max=6)


def test_a_saga_that_goes_round_in_circles_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that only sets itself again: something always happens, and nothing comes of it."""

    def put_off(saga: Instance, step: StepDefinition, task: TaskRecord, error: str) -> TaskVerdict:
        saga.timers.append(SetTimer(step.name, saga.now_s))
        return NOTHING

    monkeypatch.setattr(steps, "_ask_again", put_off)
    found(FirmOrderProcess, "I4", "no end can be reached any more", moves_max=6)


def test_a_saga_that_is_stuck_for_no_reason_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulted(saga: Instance, step: StepDefinition, task: TaskRecord, fault: Any) -> TaskVerdict:
        task.undo.status = Exchange.UNKNOWN
        return failed("one fault is too many")

    monkeypatch.setattr(undoing, "undo_faulted", faulted)
    found(NoPivot, "I4", "it is stuck although nobody has given up for good", moves_max=6)


def test_a_saga_that_is_stuck_without_saying_where_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "_why_stuck", lambda saga: "somewhere")
    bounds = Bounds(faults_max=0, silences_max=0, poisons_max=1)
    found(NoPivot, "I4", "it is stuck, and its record names no step", moves_max=8, bounds=bounds)


def test_what_is_dropped_without_a_note_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_unmatched", lambda saga, input: None)
    found(ShopProcess, "I9", "it has no effect, and the history would not say why", moves_max=2)


def test_what_is_said_to_be_ignored_and_is_not_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    done = steps._done

    def noted(saga: Instance, step: StepDefinition, task: TaskRecord, answer: Any) -> TaskVerdict:
        saga.note = "nothing to see here"
        return done(saga, step, task, answer)

    monkeypatch.setattr(steps, "_done", noted)
    found(ShopProcess, "I9", "said to be ignored (nothing to see here), and has an effect", moves_max=3)


def test_an_engine_that_raises_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(saga: Instance, reason: str) -> None:
        raise KeyError("reason")

    monkeypatch.setattr(cancellation, "cancel", crash)
    found(ShopProcess, "I9", "the saga cannot take this: KeyError: 'reason'", moves_max=2)


def test_a_command_that_is_sent_and_not_remembered_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ask = steps._ask

    def amnesiac(saga: Instance, step: StepDefinition, task: TaskRecord) -> None:
        ask(saga, step, task)
        task.do.command_id = b"lost"

    monkeypatch.setattr(steps, "_ask", amnesiac)
    found(ShopProcess, "I9", "it sent BillOrder, and its record does not have the id", moves_max=1)


def test_answers_that_are_not_told_apart_from_silence_of_a_step_beside_are_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As it was once: the answer to one step took the saga out of stuck, although another was."""

    def unstick(saga: Instance, task: TaskRecord) -> None:
        record = saga.record
        if record.status == SagaRecord.STUCK:
            record.status, record.stuck_in, record.stuck_reason = record.stuck_in, SagaRecord.NONE, ""

    monkeypatch.setattr(Instance, "unstick", unstick)
    bounds = Bounds(faults_max=1, silences_max=1, duplicates_max=0, cancels_max=0)
    found(TailSaga, "I4", "it is running, and nothing will ever move it", moves_max=13, bounds=bounds)


def test_a_right_engine_is_not_accused() -> None:
    result: Exploration = explore(ShopProcess, bounds=FEW)
    assert result.violations == ()
