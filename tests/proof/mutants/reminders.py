"""Mutants of what a saga says by itself: events, and reminders, how often they are said, and when no more."""

from __future__ import annotations

from runtime.saga import author, reminders
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["REMINDERS"]

_UNSEEN = "No workload has sagas with reminders, which change nothing of a saga"
_TESTS = "tests/unit/saga/test_reminders.py"

REMINDERS = (
    Mutant(
        "published-without-its-key",
        "What a saga publishes is not checked for the key by which another saga waits: the answer before it is parked.",
        (Edit(author.published, "if why := bounds.unreached(event):", "if False:"),),
        unseen="No workload publishes an event without the key by which others wait for it",
        held_by="tests/cluster/test_published_events.py",
    ),
    Mutant(
        "reminders-without-end",
        "A reminder is said for as long as its task is under way, whatever number is declared.",
        (Edit(reminders.reminder_fired, " if entry.said < reminder.times else 0.0", ""),),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
    Mutant(
        "reminder-outlives-its-task",
        "The timer of a reminder goes on when its task is settled.",
        (Edit(reminders.follow_reminders, "saga.timers.append(CancelTimer(reminder.timer))", "pass"),),
        unseen=_UNSEEN,
        held_by=_TESTS,
    ),
)
