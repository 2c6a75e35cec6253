"""An engine with a planted mistake is found out, each by a short schedule that names the step and the promise."""

from __future__ import annotations

from typing import Any

import pytest

from runtime.durable.behaviour import Outgoing, SetTimer
from runtime.durable.turn import guard
from runtime.durable.turn.guard import Finding, Ruling
from runtime.protos.saga_pb2 import CancelAccepted, SagaRecord, TaskRecord
from runtime.saga import cancellation, compensation, exchange, interpreter
from runtime.saga.instance import Instance
from runtime.saga.node import StepDefinition
from runtime.saga.nodes import step as steps
from runtime.saga.nodes import undoing
from runtime.saga.saga import Saga
from runtime.saga.verdict import UNDONE, TaskVerdict, failed, refused
from runtime.testing.explorer import participant
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.explore import explore
from runtime.testing.explorer.result import BrokenCheck
from runtime.testing.explorer.world import WAITING
from tests.unit.saga.shop import FirmOrderProcess, ShopProcess
from tests.unit.testing.explorer.sagas import Beside, NoPivot, TailSaga

FEW = Bounds(faults_max=1, silences_max=1, poisons_max=0, replays_max=0)


def found(saga: type[Saga[Any]], check: str, what: str, *, moves_max: int, bounds: Bounds = FEW) -> BrokenCheck:
    """The shortest schedule that breaks this promise."""
    result = explore(saga, bounds=bounds)
    assert not result.complete
    matching = [one for one in result.violations if one.check == check and what in one.what]
    assert matching, f"not found; but {[(one.check, one.what) for one in result.violations]}"
    assert matching[0].moves <= moves_max, matching[0].text()
    with pytest.raises(AssertionError, match=result.violations[0].check):
        result.check()
    return matching[0]


def test_undos_in_forward_order_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def undo_next(saga: Instance) -> None:
        for step in saga.definition.flow_steps:
            task = saga.tasks[step.index]
            if any(saga.tasks[index].status == TaskRecord.OWED for index in step.before):
                continue
            if task.status == TaskRecord.OWED and not task.undo.attempts:
                undoing.undo(saga, step, task)
        if all(task.status != TaskRecord.OWED for task in saga.tasks):
            compensation.close(saga)

    monkeypatch.setattr(compensation, "undo_next", undo_next)
    one = found(NoPivot, "I6", "step bill is undone before the undo of ship, which came after it", moves_max=4)
    assert "RefundOrder" in one.text()


def test_all_undos_at_once_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def undo_next(saga: Instance) -> None:
        for step in reversed(saga.definition.flow_steps):
            task = saga.tasks[step.index]
            if task.status == TaskRecord.OWED and not task.undo.attempts:
                undoing.undo(saga, step, task)
        if all(task.status != TaskRecord.OWED for task in saga.tasks):
            compensation.close(saga)

    monkeypatch.setattr(compensation, "undo_next", undo_next)
    found(ShopProcess, "I6", "step bill is undone before the undo of ship", moves_max=4)


def test_the_undo_of_a_step_that_was_never_asked_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    turn_back = compensation.turn_back

    def eager(saga: Instance, reason: str) -> None:
        for step in saga.definition.flow_steps:
            task = saga.tasks[step.index]
            if task.status == TaskRecord.WAITING and step.undo is not None:
                task.status, task.address = TaskRecord.DONE, "warehouse/sku"
                task.do.command_id = bytes(16)  # of a command that was never sent
        turn_back(saga, reason)

    monkeypatch.setattr(compensation, "turn_back", eager)
    found(ShopProcess, "I6", "step ship is undone, and was never asked", moves_max=3)


def test_an_undo_of_what_was_refused_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(saga: Instance, step: StepDefinition, task: TaskRecord, command_id: bytes, answer: Any) -> TaskVerdict:
        return refused("and undone all the same")

    monkeypatch.setattr(steps, "_refused", refuse)
    found(ShopProcess, "I6", "step bill is undone, although it was refused", moves_max=3)


def test_a_missing_tombstone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(participant._FATES, Ruling.TOMBSTONE, WAITING)
    found(ShopProcess, "I11", "it says compensated, and step bill may still take effect", moves_max=8)


def test_a_guard_that_never_looks_for_a_waiting_do_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The undo's handler runs at once, and then the do."""
    monkeypatch.setattr(guard, "of_waiting", lambda row, now_s: Finding(Ruling.RUN, ""))
    found(ShopProcess, "I6", "step bill took effect after it was undone", moves_max=4)


def test_a_guard_that_takes_what_was_given_up_on_for_undone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "of_waiting", lambda row, now_s: Finding(Ruling.NEVER_RAN, "", row))
    found(ShopProcess, "I5", "it says compensated, and the effect of step bill is in place", moves_max=8)


def test_silence_that_is_taken_for_a_refusal_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def unclear(task: TaskRecord, error: str) -> TaskVerdict:
        task.status = TaskRecord.REFUSED
        return failed(error)

    monkeypatch.setattr(steps, "_unclear", unclear)
    found(NoPivot, "I11", "says that all is undone before the undo of bill is confirmed", moves_max=2)


def test_a_pivot_that_is_ignored_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "no_way_back", lambda saga: "")
    found(ShopProcess, "I6", "it turns back after its pivot was confirmed", moves_max=6)


def test_a_pivot_without_undo_that_is_left_behind_while_under_way_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Instance, "no_way_back", lambda saga: "passed" if saga.record.pivot_passed else "")
    found(FirmOrderProcess, "I6", "undone while the pivot ship, which has no undo, may be done", moves_max=4)


def test_a_retry_that_forgets_the_commands_before_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first command is still on its way when the refusal of the second ends the step."""
    ask = steps._ask

    def forgetful(saga: Instance, step: StepDefinition, task: TaskRecord) -> None:
        ask(saga, step, task)
        del task.do.earlier_ids[:]

    monkeypatch.setattr(steps, "_ask", forgetful)
    found(FirmOrderProcess, "I6", "undone while the pivot ship, which has no undo, may be done", moves_max=6)


def test_a_refusal_that_overlooks_a_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "_in_doubt", lambda asked, command_id: False)
    found(FirmOrderProcess, "I6", "undone while the pivot ship, which has no undo, may be done", moves_max=8)


def test_an_undo_that_is_sent_without_its_do_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    ask_undo = undoing._ask_undo

    def anonymous(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
        verdict = ask_undo(saga, step, task)
        last = saga.outgoing[-1]
        saga.outgoing[-1] = Outgoing(last.message, last.kind, last.key, last.id, wants_reply=True)
        return verdict

    monkeypatch.setattr(undoing, "_ask_undo", anonymous)
    found(ShopProcess, "I6", "the undo of step bill names a command that is not the last of that step", moves_max=3)


def test_an_undo_that_is_confirmed_by_its_fault_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulted(saga: Instance, step: StepDefinition, task: TaskRecord, fault: Any) -> TaskVerdict:
        return undoing._undone(saga, step, task, "never mind")

    monkeypatch.setattr(undoing, "undo_faulted", faulted)
    found(NoPivot, "I11", "says that all is undone before the undo of bill is confirmed", moves_max=6)


def test_an_undo_that_is_sent_again_after_it_was_confirmed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def undone(saga: Instance, step: StepDefinition, task: TaskRecord, outcome: str) -> TaskVerdict:
        return undoing.undo(saga, step, task)

    monkeypatch.setattr(undoing, "_undone", undone)
    found(ShopProcess, "I2", "step bill is undone once more after its undo was confirmed", moves_max=4)


def test_a_saga_that_goes_on_after_it_turned_back_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late answer is taken for one in time."""
    answered = steps.answered

    def late(saga: Instance, step: StepDefinition, task: TaskRecord, command_id: bytes, answer: Any) -> TaskVerdict:
        if task.status == TaskRecord.OWED:
            task.status = TaskRecord.RUNNING
        return answered(saga, step, task, command_id, answer)

    monkeypatch.setattr(steps, "answered", late)
    found(ShopProcess, "I6", "ship is asked although the saga has turned back", moves_max=4)


def test_a_step_that_does_not_wait_for_all_before_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_all_settled", lambda saga, indexes: True)
    found(Beside, "I6", "close is asked before ship, which it follows, is done", moves_max=3)


def test_a_saga_that_ends_without_its_closing_command_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compensation, "close", lambda saga: saga.end(SagaRecord.COMPENSATED))
    found(ShopProcess, "I11", "it says compensated, and closing was not carried out", moves_max=3)


def test_a_saga_that_ends_before_its_undo_is_confirmed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    undo = undoing.undo

    def impatient(saga: Instance, step: StepDefinition, task: TaskRecord) -> TaskVerdict:
        undo(saga, step, task)
        task.status = TaskRecord.UNDONE
        return UNDONE

    monkeypatch.setattr(undoing, "undo", impatient)
    found(FirmOrderProcess, "I11", "it says compensated, and the undo of step bill was not confirmed", moves_max=3)


def test_a_cancellation_that_is_accepted_and_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def accept(saga: Instance, reason: str) -> None:
        saga.note = "later, perhaps"
        saga.outgoing.append(Outgoing(CancelAccepted(reason=reason)))

    monkeypatch.setattr(cancellation, "cancel", accept)
    found(NoPivot, "I11", "it says completed, after a client was told that it turns back", moves_max=6)


def test_a_cancellation_that_has_a_saga_go_on_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cancellations of a saga that has turned back are left out only while they have no effect."""
    cancel = cancellation.cancel

    def forward(saga: Instance, reason: str) -> None:
        cancel(saga, reason)
        if saga.note:  # It had turned back before.
            saga.record.status = SagaRecord.RUNNING

    monkeypatch.setattr(cancellation, "cancel", forward)
    found(NoPivot, "I11", "it goes on after it has turned back", moves_max=4)


def test_a_saga_that_completes_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreter, "_all_settled", lambda saga, indexes: True)
    found(TailSaga, "I2", "it says completed, and step", moves_max=5)


def test_a_timer_that_is_left_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def end(saga: Instance, status: SagaRecord.Status.ValueType) -> None:
        saga.record.status = status
        saga.timers.append(SetTimer("bill", saga.now_s))

    monkeypatch.setattr(Instance, "end", end)
    found(ShopProcess, "I10", "it has ended, and the timer 'bill' is left over", moves_max=5)
