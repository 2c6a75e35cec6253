"""I10 at each commit: a timer that fires was set, it takes effect once, and the store finds every timer in time.

Ledger ──the row before, the transition──▶ broken_timers ──▶ violations

The rule makes the ids of timers from the row in the ledger. It does not believe the transition.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from google.protobuf.message import DecodeError

from runtime.envelope import address_of, timer_id
from runtime.protos import durable_pb2
from runtime.store.records import ActorRow, HistoryRow, MailRow, Outcome, Transition
from runtime.store.timer_conversations import live_conversations

__all__ = ["broken_patience", "broken_timers"]


def broken_timers(
    before: ActorRow | None, transition: Transition, passed: AbstractSet[bytes] = frozenset()
) -> Iterator[str]:
    """What is wrong with the timers of one committed turn, each as a text. `passed`: messages that were never mail."""
    after = transition.actor
    if after is None:
        return
    where = address_of(*after.address)
    fired = [row for row in transition.history if row.id not in passed and _is_timer(row, transition)]
    found_before = (b"", None) if before is None else (before.timers, before.due_at_s)
    if not fired and found_before == (after.timers, after.due_at_s):
        return
    earliest = min((timer.due_at_s for timer in _timers(after)), default=None)
    if after.due_at_s != earliest:
        yield f"{where} is found by the due time {after.due_at_s}, but its earliest timer is due at {earliest}"
    stood = {} if before is None else {timer_id(before.address, timer): timer for timer in _timers(before)}
    stands = {(timer.name, timer.due_at_s) for timer in _timers(after)}
    for row in fired:
        timer = stood.get(row.id)
        if timer is None:
            yield f"{where}: {row.type} fired, but no such timer was set: it was moved, cancelled, or has fired before"
        elif (timer.name, timer.due_at_s) in stands:
            yield f"{where}: the timer {timer.name!r} has fired, and is still set"
        elif row.conversation != (timer.conversation or after.conversation):
            yield f"{where}: the timer {timer.name!r} has fired in {row.conversation.hex()}, and was set in another"
    yield from _misplaced(where, after, transition)


def _misplaced(where: str, after: ActorRow, transition: Transition) -> Iterator[str]:
    """Timers that this turn has set, and that will fire in another conversation. A process has one of its own."""
    handled = {row.id: row.conversation for row in transition.history}
    live = live_conversations(after)
    for timer in _timers(after):
        conversation = timer.conversation or after.conversation
        if timer.conversation and conversation != handled.get(timer.set_by, conversation):
            yield f"{where}: the timer {timer.name!r} was set in another conversation than {conversation.hex()}"
        if live and conversation not in live:
            yield f"{where}: the conversation of the timer {timer.name!r} may be forgotten before it fires"


def broken_patience(
    before: ActorRow | None, transition: Transition, waiting: Iterable[tuple[MailRow, float]], wrong_s: float
) -> Iterator[str]:
    """What is wrong with a timer that fires after its actor's mail. `waiting`: mail, and when it was committed.

    Mail that is committed while the turn runs may have come too late to be seen. `wrong_s`: how wrong clocks are.
    """
    if before is None:
        return
    patient = {timer_id(before.address, timer) for timer in _timers(before) if timer.after_mail}
    # A row that only counts a run which was lost calls no handler: the timer is set anew, and waits then.
    fired = [row for row in transition.history if row.id in patient and row.outcome is not Outcome.FAULTED]
    begun_at_s = next((row.handled_at_s for row in fired), None)
    if begun_at_s is None:
        return
    for mail, committed_at_s in waiting:
        is_of_turn = mail.id in transition.consumed or mail.id in transition.given_up
        if mail.address == before.address and not (is_of_turn or mail.parked) and committed_at_s < begun_at_s - wrong_s:
            yield f"{address_of(*before.address)}: a timer fired while {mail.id.hex()} waited, which was to come first"


def _is_timer(row: HistoryRow, transition: Transition) -> bool:
    """Says whether a row is a timer's: in the history, and not consumed as mail. A tombstone is UNDONE."""
    return row.outcome is not Outcome.UNDONE and row.id not in (*transition.consumed, *transition.given_up)


def _timers(row: ActorRow) -> list[durable_pb2.Timer]:
    try:
        return list(durable_pb2.Timers.FromString(row.timers).timers)
    except DecodeError:
        return []  # A workload spoilt the row on purpose.
