"""What a saga tells of itself in columns of its row."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from runtime.protos.saga_pb2 import CancelSaga, SagaRecord, TaskRecord
from runtime.saga.summary import ERROR_CHARS_MAX, STEP_CHARS_MAX, summary_of
from runtime.saga.view import OPEN, OWING, Phase
from runtime.store.summaries import ActorSummary
from tests.unit.durable.local import in_virtual_time
from tests.unit.saga.records import task_in
from tests.unit.saga.test_running import pause, place, resume, shop


def record(
    *tasks: TaskRecord,
    status: SagaRecord.Status.ValueType = SagaRecord.RUNNING,
    reason: str = "",
    stuck_reason: str = "",
) -> SagaRecord:
    return SagaRecord(
        definition="OrderProcess",
        fingerprint=b"\xab\x01",
        status=status,
        tasks=tasks,
        started_at_s=10.0,
        last_progress_at_s=20.0,
        reason=reason,
        stuck_reason=stuck_reason,
    )


def told(given: SagaRecord, before: ActorSummary | None = None) -> ActorSummary:
    summary = summary_of(given, before)
    assert summary is not None
    return summary


def test_a_running_saga_tells_its_status_version_and_times() -> None:
    assert told(record()) == ActorSummary("running", "", "ab01", 10.0, 20.0, "")


def test_a_saga_that_turns_back_tells_why() -> None:
    before = told(record())
    after = told(record(status=SagaRecord.COMPENSATING, reason="declined"), before)
    assert after == ActorSummary("compensating", "", "ab01", 10.0, 20.0, "declined")


def test_a_saga_that_was_carried_over_tells_its_new_version() -> None:
    before, carried = told(record()), record()
    carried.fingerprint = b"\xcd\x02"
    assert told(carried, before).version == "cd02"


@pytest.mark.parametrize("phase", Phase)
def test_a_step_is_named_as_long_as_it_or_its_undo_is_under_way(phase: Phase) -> None:
    tasks = (task_in(Phase.DONE, "bill"), task_in(phase, "ship"))
    under_way = OPEN | OWING | {Phase.TIMED, Phase.UNDER_WAY, Phase.TO_APPROVE}
    assert told(record(*tasks)).step == ("ship" if phase in under_way else "")


def _names(count: int) -> Sequence[TaskRecord]:
    return [task_in(Phase.ASKED, f"step-{number:03}") for number in range(count)]


def test_of_many_steps_the_first_are_named_whole_and_the_rest_is_told_to_be_there() -> None:
    assert told(record(*_names(2))).step == "step-000, step-001"
    step = told(record(*_names(500))).step
    *first, more = step.split(", ")
    assert len(step) <= STEP_CHARS_MAX and more == "..."
    assert first == [task.path for task in _names(len(first))]


@pytest.mark.parametrize("chars", [STEP_CHARS_MAX - 4, STEP_CHARS_MAX, STEP_CHARS_MAX + 1, 10 * STEP_CHARS_MAX])
def test_one_long_name_beside_another_is_no_error(chars: int) -> None:
    tasks = (task_in(Phase.ASKED, "x" * chars), task_in(Phase.ASKED, "ship"))
    assert len(told(record(*tasks)).step) <= STEP_CHARS_MAX
    assert len(told(record(*tasks[:1])).step) <= STEP_CHARS_MAX


def test_a_stuck_saga_tells_why_and_a_long_reason_is_cut() -> None:
    stuck = record(status=SagaRecord.STUCK, stuck_reason="bill: no refund", reason="declined")
    assert told(stuck).error == "bill: no refund"
    stuck.stuck_reason = "é" * ERROR_CHARS_MAX
    assert told(stuck).error == stuck.stuck_reason
    stuck.stuck_reason += "é"
    assert told(stuck).error == "é" * (ERROR_CHARS_MAX - 3) + "..."


def test_what_has_ended_is_at_no_step() -> None:
    assert told(record(task_in(Phase.UNKNOWN, "bill"), status=SagaRecord.COMPENSATED)).step == ""


def test_a_status_of_a_newer_version_is_told_by_its_number() -> None:
    given = SagaRecord.FromString(record().SerializeToString() + b"\x18\x63")
    assert told(given).status == "status 99"


def test_a_record_without_an_instance_tells_nothing() -> None:
    assert summary_of(SagaRecord(), None) is None


def test_the_row_of_a_saga_tells_how_it_stands_and_that_of_a_service_tells_nothing() -> None:
    async def scenario() -> None:
        node = await shop()
        await pause(node, "warehouse")
        await place(node)
        await node.sleep(1)
        row = await node.row("order-process", "ORD-1")
        assert row.summary is not None and (row.summary.status, row.summary.step) == ("running", "ship")
        assert row.summary == told(SagaRecord.FromString(row.state))
        assert (await node.row("sales", "ORD-1")).summary is None
        await resume(node, "warehouse")
        await node.sleep(1)
        summary = (await node.row("order-process", "ORD-1")).summary
        assert summary is not None and (summary.status, summary.step) == ("completed", "")
        await node.stop()

    in_virtual_time(scenario)


def test_a_row_that_a_cancellation_made_before_the_start_tells_nothing() -> None:
    async def scenario() -> None:
        node = await shop()
        await node.send(CancelSaga(reason="x"), kind="order-process", key="ORD-9")
        assert (await node.row("order-process", "ORD-9")).summary is None
        await node.stop()

    in_virtual_time(scenario)


@pytest.mark.parametrize("phase", Phase)
def test_a_saga_owes_an_undo_as_long_as_one_of_its_steps_does(phase: Phase) -> None:
    given = record(task_in(Phase.UNDONE, "bill"), task_in(phase, "ship"), status=SagaRecord.STUCK)
    assert told(given).owed_at_s == (20.0 if phase in OWING else None)


@pytest.mark.parametrize("phase", Phase)
def test_an_outcome_is_unknown_after_silence_until_it_is_settled(phase: Phase) -> None:
    given = record(task_in(Phase.DONE, "bill"), task_in(phase, "ship"))
    assert told(given).unknown_at_s == (20.0 if phase in (Phase.UNKNOWN, Phase.PROBED) else None)


def test_an_outcome_stays_unknown_while_the_step_is_asked_again() -> None:
    asked = task_in(Phase.ASKED, "ship")
    assert told(record(asked)).unknown_at_s is None
    asked.do.earlier_ids.append(b"1")
    assert told(record(asked)).unknown_at_s == 20.0
    del asked.do.earlier_ids[:]
    asked.do.faulted_ids.append(b"1")
    assert told(record(asked)).unknown_at_s == 20.0


def test_an_undo_is_owed_since_the_saga_turned_back_whatever_moves_meanwhile() -> None:
    owing = record(task_in(Phase.OWED, "bill"), task_in(Phase.UNKNOWN, "ship"), status=SagaRecord.COMPENSATING)
    first = told(owing)
    owing.last_progress_at_s = 30.0
    again = told(owing, first)
    assert (again.progressed_at_s, again.owed_at_s, again.unknown_at_s) == (30.0, 20.0, 20.0)


def test_what_is_owed_again_is_owed_since_then() -> None:
    owing = record(task_in(Phase.OWED, "bill"), status=SagaRecord.COMPENSATING)
    settled = told(record(task_in(Phase.UNDONE, "bill"), status=SagaRecord.COMPENSATING), told(owing))
    assert settled.owed_at_s is None
    owing.last_progress_at_s = 40.0
    assert told(owing, settled).owed_at_s == 40.0


def test_what_has_ended_owes_nothing_that_anybody_will_see_to() -> None:
    ended = record(task_in(Phase.OWED, "bill"), task_in(Phase.UNKNOWN, "ship"), status=SagaRecord.ABANDONED)
    assert (told(ended).owed_at_s, told(ended).unknown_at_s) == (None, None)
