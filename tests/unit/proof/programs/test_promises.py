"""Every check at rest can fail: what a run has left behind is falsified, one thing at a time, and must be found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from runtime.protos.saga_pb2 import CancelAccepted, SagaRecord, TaskRecord
from runtime.store.records import Outcome
from runtime.testing.rules.ledger import Ledger
from tests.proof.programs import programs_pb2 as pb
from tests.proof.programs.program import first_names
from tests.proof.programs.workload import ProgramPlay
from tests.unit.proof.programs.falsified import Falsify, check_found_out, records, states, write


def change_entry(
    ledger: Ledger, fits: Callable[[pb.Entry], bool], change: Callable[[pb.Entry, pb.ParticipantState], None]
) -> bool:
    for state, row in states(ledger):
        for entry in state.entries:
            if fits(entry):
                change(entry, state)
                return write(ledger, row, state)
    return False


def of_saga(entry: pb.Entry) -> bool:
    return not entry.deed.startswith(("client", "relay")) and entry.dos == 1


def applied_twice(play: ProgramPlay, ledger: Ledger) -> bool:
    def twice(entry: pb.Entry, state: pb.ParticipantState) -> None:
        entry.dos = 2

    return change_entry(ledger, of_saga, twice)


def a_done_step_without_effect(play: ProgramPlay, ledger: Ledger) -> bool:
    def undo(entry: pb.Entry, state: pb.ParticipantState) -> None:
        entry.undos = 1

    return change_entry(ledger, lambda entry: of_saga(entry) and not entry.undos, undo)


def an_undone_step_with_effect(play: ProgramPlay, ledger: Ledger) -> bool:
    def redo(entry: pb.Entry, state: pb.ParticipantState) -> None:
        entry.undos = 0

    return change_entry(ledger, lambda entry: of_saga(entry) and entry.undos == 1, redo)


def a_unit_that_vanished(play: ProgramPlay, ledger: Ledger) -> bool:
    for state, row in states(ledger):
        if state.opened:
            state.on_hand -= 1
            return write(ledger, row, state)
    return False


def an_effect_of_nobody(play: ProgramPlay, ledger: Ledger) -> bool:
    for state, row in states(ledger):
        state.entries.add(deed="first|nobody#s0", dos=1)
        return write(ledger, row, state)
    return False


def an_alarm_that_never_rang(play: ProgramPlay, ledger: Ledger) -> bool:
    for state, row in states(ledger):
        if state.alarms_rung:
            state.alarms_rung -= 1
            state.alarms.add(name="t0", serial=99)
            return write(ledger, row, state)
    return False


def an_alarm_that_nobody_counts(play: ProgramPlay, ledger: Ledger) -> bool:
    for state, row in states(ledger):
        if state.alarms_rung:
            state.alarms_rung -= 1
            return write(ledger, row, state)
    return False


def an_early_alarm(play: ProgramPlay, ledger: Ledger) -> bool:
    for state, row in states(ledger):
        state.early_s = 0.5
        return write(ledger, row, state)
    return False


def a_do_after_its_undo(play: ProgramPlay, ledger: Ledger) -> bool:
    for state, row in states(ledger):
        state.wrong.append("first|R-0#s0 came after its undo")
        return write(ledger, row, state)
    return False


def a_saga_that_is_gone(play: ProgramPlay, ledger: Ledger) -> bool:
    for record, row in records(ledger, SagaRecord.COMPLETED):
        return record.definition != "" and ledger.actors.pop(row.address) is not None
    return False


def a_saga_that_nobody_started(play: ProgramPlay, ledger: Ledger) -> bool:
    for _, row in records(ledger, SagaRecord.COMPLETED):
        starts = [one for one in ledger._sent.values() if one.row.address == row.address and one.envelope is not None]
        for one in starts:
            if one.envelope is not None and one.envelope.type in ("programs.Begun", "programs.Resumed"):
                del ledger._sent[one.row.id]
        return True
    return False


def a_completed_saga_with_a_step_left(play: ProgramPlay, ledger: Ledger) -> bool:
    for record, row in records(ledger, SagaRecord.COMPLETED):
        record.tasks[0].status = TaskRecord.RUNNING
        return write(ledger, row, record)
    return False


def a_step_that_was_skipped_though_it_can_be_undone(play: ProgramPlay, ledger: Ledger) -> bool:
    for record, row in records(ledger, SagaRecord.COMPENSATED):
        for task in record.tasks:
            if task.status == TaskRecord.UNDONE:
                task.status = TaskRecord.SKIPPED
                return write(ledger, row, record)
    return False


def a_step_that_was_passed_over_though_its_run_wants_it(play: ProgramPlay, ledger: Ledger) -> bool:
    for record, row in records(ledger, SagaRecord.COMPLETED):
        run = next((one for one in play._program.runs if one.name == f"{row.kind}|{row.key}"), None)
        if run is not None and not run.ends_early and not run.unwanted:
            record.tasks[0].status = TaskRecord.PASSED
            return write(ledger, row, record)
    return False


def a_step_that_was_asked_for_though_its_run_does_not_want_it(play: ProgramPlay, ledger: Ledger) -> bool:
    for record, row in records(ledger, SagaRecord.COMPLETED):
        for place, run in enumerate(play._program.runs):
            if run.name == f"{row.kind}|{row.key}" and not run.unwanted:
                unwanted = replace(run, unwanted=frozenset((record.tasks[0].path,)))
                runs = (*play._program.runs[:place], unwanted, *play._program.runs[place + 1 :])
                play._program = replace(play._program, runs=runs)
                return True
    return False


def a_message_without_a_trace(play: ProgramPlay, ledger: Ledger) -> bool:
    for rows in ledger.history.values():
        for id, row in rows.items():
            if row.type.startswith("programs.Change") and id in ledger._sent:
                del rows[id]
                return True
    return False


def undos_in_the_wrong_order(play: ProgramPlay, ledger: Ledger) -> bool:
    """Lets the first undo of a saga of three be handled after all others."""
    for record, row in records(ledger, SagaRecord.COMPENSATED):
        places = {f"s{index}": index for index in range(len(record.tasks))}
        undone = [
            task
            for task in record.tasks
            if task.undo.command_id and task.status == TaskRecord.UNDONE and first_names(task.path) in places
        ]
        plan = next(plan for plan in play._program.sagas if plan.kind == row.kind)
        if len(undone) < 2 or any(step.before != (index - 1,) for index, step in enumerate(plan.steps) if index):
            continue
        rows = ledger.history[record.conversation]
        last = max(undone, key=lambda task: places[first_names(task.path)])
        if last.undo.command_id in rows and rows[last.undo.command_id].outcome is Outcome.HANDLED:
            rows[last.undo.command_id] = rows.pop(last.undo.command_id)
            return True
    return False


def a_start_that_was_refused(play: ProgramPlay, ledger: Ledger) -> bool:
    for _, row in records(ledger, SagaRecord.COMPLETED):
        play._clients.told.begun.setdefault(f"{row.kind}|{row.key}", []).append(pb.BeginRefused())
        return True
    return False


def a_cancellation_of_what_completed(play: ProgramPlay, ledger: Ledger) -> bool:
    for _, row in records(ledger, SagaRecord.COMPLETED):
        play._clients.told.cancelled.setdefault(f"{row.kind}|{row.key}", []).append(CancelAccepted())
        return True
    return False


def an_answer_without_effect(play: ProgramPlay, ledger: Ledger) -> bool:
    def never(entry: pb.Entry, state: pb.ParticipantState) -> None:
        entry.dos, entry.refused = 0, False

    return bool(play._clients.told.direct) and change_entry(
        ledger, lambda entry: entry.deed.startswith("client") and entry.dos == 1, never
    )


def one_id_for_two_deeds(play: ProgramPlay, ledger: Ledger) -> bool:
    for state, row in states(ledger):
        play._clients.told.never["client#9 otherwise"] = None
        state.entries.add(deed="client#9 otherwise", dos=1)
        return write(ledger, row, state)
    return False


def a_relay_that_lost_its_way(play: ProgramPlay, ledger: Ledger) -> bool:
    def never(entry: pb.Entry, state: pb.ParticipantState) -> None:
        entry.dos = entry.undos = 0

    return change_entry(ledger, lambda entry: entry.deed.startswith("relay") and entry.dos == 1, never)


@pytest.mark.parametrize(
    ("falsify", "invariants"),
    [
        (applied_twice, ("I2",)),
        (a_done_step_without_effect, ("I2",)),
        (an_undone_step_with_effect, ("I5",)),
        (a_unit_that_vanished, ("I3",)),
        (an_effect_of_nobody, ("I5",)),
        (an_alarm_that_never_rang, ("I10",)),
        (an_alarm_that_nobody_counts, ("I10",)),
        (an_early_alarm, ("I10",)),
        (a_do_after_its_undo, ("I6",)),
        (a_saga_that_is_gone, ("I1",)),
        (a_saga_that_nobody_started, ("I5",)),
        (a_completed_saga_with_a_step_left, ("I4",)),
        (a_step_that_was_skipped_though_it_can_be_undone, ("I5",)),
        (a_step_that_was_passed_over_though_its_run_wants_it, ("I6",)),
        (a_step_that_was_asked_for_though_its_run_does_not_want_it, ("I6",)),
        (a_message_without_a_trace, ("I9",)),
        (undos_in_the_wrong_order, ("I6",)),
        (a_start_that_was_refused, ("I11",)),
        (a_cancellation_of_what_completed, ("I11",)),
        (an_answer_without_effect, ("I1", "I11")),
        (one_id_for_two_deeds, ("I14",)),
        (a_relay_that_lost_its_way, ("I4", "I5")),
    ],
)
def test_what_was_falsified_is_found_out(falsify: Falsify, invariants: tuple[str, ...]) -> None:
    check_found_out(falsify, invariants)
