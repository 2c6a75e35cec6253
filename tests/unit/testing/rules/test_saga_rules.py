"""What no committed state of a saga may say: sound stories pass, and each rule is broken by what it forbids."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from runtime.durable.residence.suspects import DEATHS
from runtime.protos.durable_pb2 import Timer, Timers
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.summary import summary_of
from runtime.saga.view import Phase, phase_of
from runtime.store.records import ActorRow, HistoryRow, Outcome
from runtime.store.summaries import ActorSummary
from runtime.testing.conformance.samples import told
from runtime.testing.rules.saga_rules import SagaRules
from tests.unit.saga.records import put
from tests.unit.saga.shop import ShopProcess

RULES = SagaRules()
RULES.add([ShopProcess.definition])
BILL, SHIP, CLOSE, CANCEL = range(4)
DONE, REFUSED, UNDOING, UNDONE = Phase.DONE, Phase.REFUSED, Phase.UNDOING, Phase.UNDONE
ASKED, WAITING = Phase.ASKED, Phase.WAITING


def row(status: SagaRecord.Status.ValueType, *phases: Phase, timers: bytes | None = None) -> ActorRow:
    """A saga with such steps; every one that was asked has a timer, unless `timers` says otherwise."""
    record = SagaRecord()
    record.CopyFrom(ShopProcess.definition.template)
    record.status = status
    for task, phase in zip(record.tasks, phases, strict=False):
        put(task, phase)
        if phase is REFUSED:
            task.do.outcome = "shop.PaymentDeclined" if task.path == "bill" else "shop.BackOrdered"
    asked = [Timer(name=task.path) for task in record.tasks if phase_of(task) is ASKED]
    return of(record, Timers(timers=asked).SerializeToString() if timers is None else timers)


def of(record: SagaRecord, timers: bytes = b"") -> ActorRow:
    name = SagaRecord.DESCRIPTOR.full_name
    return ActorRow(
        "order-process",
        "ORD-1",
        0,
        1,
        b"",
        b"",
        name,
        record.SerializeToString(),
        timers,
        None,
        updated_at_s=0.0,
        summary=summary_of(record, None),
    )


def broken(after: ActorRow, before: ActorRow | None = None) -> list[str]:
    return [f"{invariant}: {what}" for invariant, what in RULES.broken(before, after)]


RUNNING = SagaRecord.RUNNING
COMPENSATING = SagaRecord.COMPENSATING
COMPENSATED = SagaRecord.COMPENSATED
COMPLETED = SagaRecord.COMPLETED
OTHERS = Timers(timers=[Timer(name="bill"), Timer(name="the deadline")]).SerializeToString()


@pytest.mark.parametrize(
    "sound",
    [
        row(RUNNING, ASKED),
        row(RUNNING, DONE, ASKED),
        row(COMPLETED, DONE, DONE, DONE),
        row(COMPENSATING, REFUSED),
        row(COMPENSATING, UNDOING, REFUSED),
        row(COMPENSATING, Phase.OWED, UNDOING),
        row(COMPENSATED, UNDONE, REFUSED, WAITING, DONE),
    ],
)
def test_a_sound_record_breaks_no_rule(sound: ActorRow) -> None:
    assert broken(sound) == []
    assert broken(sound, sound) == []


@pytest.mark.parametrize(
    ("says", "after"),
    [
        ("I6.*ship was begun before bill", row(RUNNING, ASKED, ASKED)),
        ("I4.*completed without close", row(COMPLETED, DONE, DONE)),
        ("I6.*bill is being undone before ship", row(COMPENSATING, UNDOING, Phase.OWED)),
        ("I6.*bill is being undone before ship", row(COMPENSATING, UNDOING, UNDOING)),
        ("I4.*compensated, without bill", row(COMPENSATED, UNDOING, REFUSED, WAITING, DONE)),
        ("I4.*compensated, without closing", row(COMPENSATED, UNDONE, REFUSED)),
        ("I10.*a timer of it still runs", row(COMPLETED, DONE, DONE, DONE, timers=b"x")),
        ("I10.*step bill, and no timer", row(RUNNING, ASKED, timers=b"")),
        ("I10.*step ship, and no timer", row(RUNNING, DONE, ASKED, timers=OTHERS)),
        ("I10.*step closing, and no timer", row(COMPENSATING, UNDONE, REFUSED, WAITING, ASKED, timers=b"")),
    ],
)
def test_a_record_that_may_not_be_is_told(says: str, after: ActorRow) -> None:
    (told,) = broken(after)
    assert re.search(says, told), told


@pytest.mark.parametrize(
    ("says", "before", "after"),
    [
        ("goes forward again", row(COMPENSATING, UNDONE), row(RUNNING, DONE)),
        ("bill was owed, and is done", row(COMPENSATING, Phase.OWED), row(COMPENSATING, DONE)),
        ("had completed", row(COMPLETED, DONE, DONE, DONE), row(RUNNING, DONE, DONE, ASKED)),
    ],
)
def test_nothing_that_has_turned_or_ended_goes_forward_again(says: str, before: ActorRow, after: ActorRow) -> None:
    assert any(says in one for one in broken(after, before))


@pytest.mark.parametrize("tries", [1, 2])
@pytest.mark.parametrize("phase", [ASKED, UNDOING])
def test_what_was_stuck_is_tried_again_with_a_fresh_budget(phase: Phase, tries: int) -> None:
    stuck, freed = (SagaRecord.FromString(row(COMPENSATING, phase).state) for _ in range(2))
    stuck.status, stuck.tasks[BILL].stuck = SagaRecord.STUCK, True
    freed.tasks[BILL].do.attempts = tries if phase is ASKED else 9
    freed.tasks[BILL].undo.attempts = tries if phase is UNDOING else 9
    timed = Timers(timers=[Timer(name="bill")]).SerializeToString()
    told = [one for one in broken(of(freed, timed), of(stuck)) if "is tried again" in one]
    assert len(told) == tries - 1


def test_a_step_counts_as_refused_only_by_the_word_of_its_participant() -> None:
    record = SagaRecord.FromString(row(COMPENSATING, REFUSED).state)
    record.tasks[BILL].do.outcome = ""
    assert broken(of(record)) == [
        "I11: order-process/ORD-1: step bill counts as refused, and its participant has not said so"
    ]


def test_there_is_no_way_back_behind_the_pivot() -> None:
    record = SagaRecord.FromString(row(COMPENSATING, UNDOING, UNDONE).state)
    record.pivot_passed = True
    assert any("although its pivot has passed" in one for one in broken(of(record)))


@pytest.mark.parametrize(
    ("says", "wrong"),
    [
        ("is at bill, and its row says None", None),
        ("is at bill", told(step="")),
        ("is at bill", told(step="ship...")),
        ("is running", told("stuck")),
        ("is running", told(version="bb")),
        ("moved at 2.0", told(progressed_at_s=1.0)),
        ("moved at 2.0", told(started_at_s=1.5)),
    ],
)
def test_a_row_says_in_its_columns_what_its_record_says(says: str, wrong: ActorSummary | None) -> None:
    record = SagaRecord.FromString(row(RUNNING, ASKED).state)
    record.started_at_s, record.last_progress_at_s = 1.0, 2.0
    sound = of(record, Timers(timers=[Timer(name="bill")]).SerializeToString())
    assert sound.summary is not None and broken(sound) == []
    right = sound.summary.version
    after = replace(sound, summary=wrong and replace(wrong, version=right if wrong.version == "aa01" else "bb"))
    (said,) = broken(after)
    assert re.search(f"^I11: order-process/ORD-1 {says}", said), said


def test_a_row_says_since_when_an_undo_is_owed_and_an_outcome_unknown() -> None:
    record = SagaRecord.FromString(row(COMPENSATING, Phase.OWED, WAITING).state)
    record.last_progress_at_s = 2.0
    first = of(record)
    record.last_progress_at_s = 3.0
    later, told_first = of(record), first.summary
    assert told_first is not None and told_first.owed_at_s == 2.0 and broken(first) == []
    again = replace(later, summary=summary_of(record, told_first))
    assert broken(again, first) == []
    for wrong in (3.0, None):
        (said,) = broken(replace(again, summary=replace(told_first, progressed_at_s=3.0, owed_at_s=wrong)), first)
        assert said == f"I11: order-process/ORD-1 owes an undo: True, since 2.0, and its row says since {wrong}"
    (said,) = broken(replace(first, summary=replace(told_first, unknown_at_s=2.0)))
    assert "has a step of unknown outcome: False, since None, and its row says since 2.0" in said


def test_a_row_may_leave_out_steps_and_says_so() -> None:
    many = SagaRecord.FromString(row(COMPENSATING, Phase.OWED, UNDOING).state)
    sound = of(many)
    assert sound.summary is not None and sound.summary.step == "bill, ship"
    assert broken(replace(sound, summary=replace(sound.summary, step="bill, ..."))) == []


def test_a_row_that_is_no_saga_or_another_versions_is_left_alone() -> None:
    record = SagaRecord.FromString(row(COMPLETED).state)
    record.fingerprint = b"another"
    assert broken(of(record)) == []
    plain = ActorRow("billing", "ORD-1", 0, 1, b"", b"", "shop.BillState", b"", b"", None, 0.0)
    assert broken(plain) == []


def test_a_saga_may_lack_a_timer_that_was_given_up_on_since_nodes_had_died_over_it() -> None:
    rules, lacking = SagaRules(), row(RUNNING, ASKED, timers=b"")
    rules.add([ShopProcess.definition])
    gone = HistoryRow(
        b"c",
        b"i",
        "order-process",
        "ORD-1",
        0,
        1,
        0.0,
        Outcome.FAULTED,
        0,
        "a@1",
        f"3 {DEATHS}: a@1",
        "T",
        "",
        b"",
        0.0,
        b"",
    )
    assert [one for one, _ in rules.broken(None, lacking)] == ["I10"]
    assert list(rules.broken(None, lacking, [gone])) == []
    assert list(rules.broken(lacking, lacking)) == [], "a later commit"


def test_a_suspended_saga_asks_nothing_unless_an_operator_has_had_it_go_on() -> None:
    before = SagaRecord.FromString(row(RUNNING, ASKED).state)
    before.suspended = True
    after = SagaRecord.FromString(before.SerializeToString())
    after.tasks[BILL].do.attempts += 1
    assert any("it is suspended, and step bill asks" in one for one in broken(of(after), of(before)))
    after.repairs.add()
    assert not any("it is suspended" in one for one in broken(of(after), of(before)))
