"""Timers at each commit: what fires was set, takes effect once, and is found by its due time."""

from __future__ import annotations

from dataclasses import replace

from runtime.envelope import timer_id
from runtime.protos.durable_pb2 import Timer, Timers
from runtime.store.records import ActorRow, Expected, HistoryRow, MailRow, Outcome, Transition
from runtime.store.timer_conversations import other_conversations
from runtime.testing.rules.timer_rules import broken_patience, broken_timers

ADDRESS = ("billing", "ORD-1")
TIMER = Timer(name="late", due_at_s=60.0, type="amends.TimerFired", set_by=b"m" * 16)
OTHER = Timer(name="later", due_at_s=90.0, type="amends.TimerFired", set_by=b"m" * 16)


def row(*timers: Timer) -> ActorRow:
    due_at_s = min((timer.due_at_s for timer in timers), default=None)
    encoded = Timers(timers=timers).SerializeToString()
    return ActorRow("billing", "ORD-1", 0, 1, b"", b"c" * 16, "shop.BillState", b"", encoded, due_at_s, 0.0)


def fired(timer: Timer, after: ActorRow, outcome: Outcome = Outcome.FIRED) -> Transition:
    id = timer_id(ADDRESS, timer)
    history = HistoryRow(
        b"c" * 16, id, "billing", "ORD-1", 0, 2, 61.0, outcome, 1, "n", "", timer.type, "", b"", timer.due_at_s, b""
    )
    return Transition(actor=after, expected=Expected(1, b""), history=(history,))


def test_a_timer_that_was_set_fires_and_is_gone() -> None:
    assert list(broken_timers(row(TIMER, OTHER), fired(TIMER, row(OTHER)))) == []


def test_a_timer_that_fails_is_set_again_for_later() -> None:
    again = Timer(name="late", due_at_s=75.0, type=TIMER.type, set_by=timer_id(ADDRESS, TIMER), attempts=1)
    assert list(broken_timers(row(TIMER), fired(TIMER, row(again), Outcome.FAULTED))) == []


def test_a_timer_that_was_never_set_may_not_fire() -> None:
    (what,) = broken_timers(row(OTHER), fired(TIMER, row(OTHER)))
    assert "no such timer was set" in what
    (what,) = broken_timers(None, fired(TIMER, row()))
    assert "no such timer was set" in what


def test_a_timer_that_was_moved_may_not_fire_as_it_stood_before() -> None:
    moved = Timer(name="late", due_at_s=80.0, type=TIMER.type, set_by=b"n" * 16)
    (what,) = broken_timers(row(moved), fired(TIMER, row()))
    assert "no such timer was set" in what


def test_a_timer_that_fired_may_not_stand_any_more() -> None:
    (what,) = broken_timers(row(TIMER), fired(TIMER, row(TIMER)))
    assert "still set" in what


def test_an_actor_is_found_by_its_earliest_timer() -> None:
    late = replace(row(TIMER, OTHER), due_at_s=90.0)
    (what,) = broken_timers(row(), Transition(actor=late, expected=Expected(1, b"")))
    assert "90.0" in what and "60.0" in what
    lost = replace(row(TIMER), due_at_s=None)
    (what,) = broken_timers(None, Transition(actor=lost, expected=Expected(0, b"")))
    assert "None" in what


def test_a_tombstone_is_no_timer() -> None:
    assert list(broken_timers(row(), fired(TIMER, row(), Outcome.UNDONE))) == []


PATIENT = Timer(name="late", due_at_s=60.0, type="amends.TimerFired", set_by=b"m" * 16, after_mail=True)
WAITS = MailRow("billing", "ORD-1", 0, b"w" * 16, b"c" * 16, 50.0, 1, 0.0, 0, "", 0.0, b"")


def test_a_patient_timer_may_not_fire_while_mail_waits_that_was_there_before_its_turn() -> None:
    transition = fired(PATIENT, row())
    (what,) = broken_patience(row(PATIENT), transition, [(WAITS, 50.0)], 0.0)
    assert "a timer fired while" in what and "was to come first" in what
    for mail, at_s in ((WAITS, 61.5), (replace(WAITS, key="ORD-2"), 50.0), (replace(WAITS, parked="boom"), 50.0)):
        assert list(broken_patience(row(PATIENT), transition, [(mail, at_s)], 0.0)) == []
    assert list(broken_patience(row(PATIENT), transition, [(WAITS, 50.0)], 20.0)) == []  # as far as clocks are wrong
    handled = replace(transition, consumed=(WAITS.id,))
    assert list(broken_patience(row(PATIENT), handled, [(WAITS, 50.0)], 0.0)) == []


def test_a_timer_that_is_not_patient_does_not_wait_for_mail() -> None:
    assert list(broken_patience(row(TIMER), fired(TIMER, row()), [(WAITS, 50.0)], 0.0)) == []
    assert list(broken_patience(None, fired(TIMER, row()), [(WAITS, 50.0)], 0.0)) == []


def test_a_timer_fires_in_the_conversation_in_which_it_was_set_and_keeps_that() -> None:
    other = Timer(name="late", due_at_s=60.0, type=TIMER.type, set_by=b"m" * 16, conversation=b"o" * 16)
    (what,) = broken_timers(row(other), fired(other, row()))
    assert "was set in another" in what
    kept = replace(row(other), timer_conversations=other_conversations([b"o" * 16], b"c" * 16))
    assert list(broken_timers(None, Transition(actor=kept, expected=Expected(0, b"")))) == []
    (what,) = broken_timers(None, Transition(actor=row(other), expected=Expected(0, b"")))
    assert "may be forgotten" in what
    setting = replace(fired(TIMER, row()).history[0], id=b"m" * 16)
    asked = Transition(actor=kept, expected=Expected(0, b""), consumed=(b"m" * 16,), history=(setting,))
    (what,) = broken_timers(None, asked)
    assert "was set in another conversation" in what
