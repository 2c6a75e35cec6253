"""A batch becomes rows for statements, and one failed try becomes a verdict for each transition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.store.plan import INSERTED_ACTORS, POSTED, REMOVED, Attempts, CommitPlan, encodable_transition
from runtime.store.records import Transition, Verdict
from runtime.store.settlement import Found, Traces, was_written
from runtime.store.summaries import ActorSummary
from runtime.testing.conformance.samples import EMPTY, SHARD, actor_row, history_row, id_of, mail_row, post, turn


def judged(batch: list[Transition], culprits: dict[int, Verdict]) -> tuple[list[Verdict], list[int]]:
    """The verdicts if these transitions cannot be written, and how many transitions each try had."""
    attempts, sizes = Attempts(CommitPlan.of(batch)), []
    while (part := attempts.next()) is not None:
        sizes.append(len(part.batch))
        wrong = [culprits[place] for place in culprits if any(one is batch[place] for one in part.batch)]
        attempts.tell(wrong[0] if wrong else Verdict.COMMITTED)
    return attempts.verdicts, sizes


def test_what_goes_through_as_a_whole_is_tried_once() -> None:
    assert judged([post(mail_row(number)) for number in range(9)], {}) == ([Verdict.COMMITTED] * 9, [9])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 33])
def test_each_culprit_stands_alone_with_its_own_verdict_and_its_neighbours_are_written(size: int) -> None:
    culprits = {0: Verdict.CONFLICT, size // 2: Verdict.DUPLICATE, size - 1: Verdict.MAIL_MISSING}
    verdicts, _ = judged([post(mail_row(number)) for number in range(size)], culprits)
    assert verdicts == [culprits.get(place, Verdict.COMMITTED) for place in range(size)]


def test_one_culprit_among_many_is_found_by_halving() -> None:
    _, sizes = judged([post(mail_row(number)) for number in range(16)], {5: Verdict.CONFLICT})
    assert sorted(sizes) == [1, 1, 2, 2, 4, 4, 8, 8, 16]


def test_transitions_that_touch_the_same_rows_are_never_tried_together() -> None:
    first = turn(1)
    verdicts, sizes = judged([post(mail_row(1)), first, post(mail_row(7, "z")), turn(2, start=first.actor)], {})
    assert (verdicts, sizes) == ([Verdict.COMMITTED] * 4, [1, 1, 2])


@pytest.mark.parametrize(
    "transition",
    [
        Transition(address=("billing", "a"), shard=SHARD, consumed=(id_of(1),), mail=(mail_row(1),)),
        Transition(address=("billing", "a"), shard=SHARD, given_up=(id_of(1),), mail=(mail_row(1),)),
        Transition(history=(history_row(1),), mail=(mail_row(1),)),
    ],
    ids=["removed and posted", "given up and posted", "handled and posted"],
)
def test_a_transition_that_touches_its_own_rows_says_that_its_statements_must_see_each_other(
    transition: Transition,
) -> None:
    plan = CommitPlan.of([transition])
    assert (plan.apart, plan.sees_itself) == (True, True)


def test_a_turn_that_sends_to_others_may_be_written_from_one_snapshot() -> None:
    assert not CommitPlan.of([turn(1, mail=[mail_row(2, "b")])]).sees_itself


def test_a_message_that_one_transition_posts_twice_is_one_row() -> None:
    assert len(CommitPlan.of([post(mail_row(1), mail_row(1))]).mail) == POSTED.width


def test_rows_come_as_columns_in_one_order_whatever_the_order_of_the_batch() -> None:
    rows = [actor_row(key, revision=revision) for key, revision in (("c", 3), ("a", 1), ("b", 2))]
    plans = [CommitPlan.of([Transition(actor=row, expected=EMPTY) for row in some]) for some in (rows, rows[::-1])]
    one, other = (INSERTED_ACTORS.columns(plan.inserted) for plan in plans)
    assert one == other
    assert one[INSERTED_ACTORS.names.index("key")] == ("a", "b", "c")
    assert one[INSERTED_ACTORS.names.index("revision")] == (1, 2, 3)


def test_no_rows_are_as_many_empty_columns() -> None:
    assert REMOVED.columns([]) == [()] * 4


def test_text_that_some_engine_cannot_keep_is_spelt_out() -> None:
    told = ActorSummary("stuck", "bill", "1", 0.0, 0.0, "no \0 here")
    parked = mail_row(1, parked="half a pair \udc80")
    transition = Transition(
        actor=replace(actor_row(), summary=told),
        expected=EMPTY,
        history=(replace(history_row(2), error="a \0 b"),),
        mail=(parked,),
        rescheduled=(parked,),
    )
    kept = encodable_transition(transition)
    assert kept.actor is not None
    assert kept.actor.summary == replace(told, error="no \\x00 here")
    assert [row.error for row in kept.history] == ["a \\x00 b"]
    assert [row.parked for row in (*kept.mail, *kept.rescheduled)] == ["half a pair \\udc80"] * 2


def test_what_was_written_with_its_text_spelt_out_is_found_again() -> None:
    """Else it would be reported as lost, and written anew."""
    parked = Transition(address=("billing", "a"), shard=SHARD, rescheduled=(mail_row(1, parked="\udc80"),))
    row = replace(actor_row(), summary=ActorSummary("stuck", "bill", "1", 0.0, 0.0, "\0"))
    told = Transition(actor=row, expected=EMPTY)
    [kept], kept_row = encodable_transition(parked).rescheduled, encodable_transition(told).actor
    assert kept_row is not None
    found = Found({}, {("billing", SHARD, "a", kept.id): (kept.due_at_s, kept.attempts, kept.parked)}, {})
    assert was_written(parked, found)
    assert was_written(told, Found({}, {}, {kept_row.address: kept_row}))
    assert not was_written(told, Found({}, {}, {kept_row.address: replace(kept_row, revision=9)}))


def test_what_is_looked_up_for_a_batch_is_named_once_and_no_more_than_tells() -> None:
    first = turn(1, mail=[mail_row(2, "b")])
    removal = Transition(address=("billing", "a"), shard=SHARD, consumed=(id_of(4),))
    traces = Traces.of([first, first, post(mail_row(3)), removal])
    assert [id for _, id in traces.handled] == [id_of(1), id_of(3)]
    assert [slot[3] for slot in traces.waiting] == [id_of(3), id_of(4)]
    assert traces.actors == (("billing", "a"),)
