"""An operator's act on a timer of an actor that is no saga: what it does, or why it is refused.

    RepairSaga, the timers as they stand ──decide──▶ TimerAct: refused and why, or the change, and what it is in words

Acts on a timer of a saga are in runtime/saga/timer_acts.py: its record goes by the instants of its timers.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from runtime.protos.durable_pb2 import Timer
from runtime.protos.saga_pb2 import RepairSaga

__all__ = ["ACT", "TimerAct", "badly_due", "decide", "due_at_s", "in_words"]

ACT = RepairSaga.DESCRIPTOR.full_name
"""The type of the message."""

_YEAR_10000_S = 253_402_300_800.0  # no calendar goes further
_NAMED_MAX = 20  # timers, in a refusal


@dataclass(frozen=True, slots=True)
class TimerAct:
    """What an act does to one timer. One of `refusal` and `text` is empty."""

    refusal: str
    text: str = ""
    due_at_s: float | None = None  # when the timer fires from now on; None: it does not


def decide(
    act: RepairSaga, timers: Mapping[str, Timer], revision: int, now_s: float, *, cancelled: Container[str] = ()
) -> TimerAct:
    """`revision`: that of the actor before this turn; an act that expects another one is refused.

    `cancelled` has the names of timers that an earlier act cancelled, and that can be set again.
    """
    if act.HasField("expected_revision") and act.expected_revision != revision:
        moved = f"it is at revision {revision}, and no longer at {act.expected_revision}"
        return TimerAct(f"{moved}: look at it again with `explain`")
    if act.act not in (RepairSaga.MOVE_TIMER, RepairSaga.CANCEL_TIMER):
        return TimerAct("it is no saga: of its acts, it knows only move-timer and cancel-timer")
    if act.task:
        return TimerAct("it is about a timer: name that, and no task")
    was_cancelled = act.timer not in timers and act.timer in cancelled
    if act.timer not in timers and not was_cancelled:
        return TimerAct(f"it waits for no timer {act.timer!r}; there are {_names(timers)}")
    said, named = f"by {act.who}: {act.reason}", f"timer {act.timer}"
    if act.act == RepairSaga.CANCEL_TIMER:
        if was_cancelled:
            return TimerAct(f"{named} was cancelled before: move-timer sets it again")
        return TimerAct("", f"{in_words(act, named, now_s)}, {said}")
    if wrong := badly_due(act, now_s):
        return TimerAct(wrong)
    named += ", which was cancelled," if was_cancelled else ""
    return TimerAct("", f"{in_words(act, named, now_s)}, {said}", due_at_s(act, now_s))


def due_at_s(act: RepairSaga, now_s: float) -> float:
    """When a timer that is moved fires. What is past is now."""
    return now_s + act.in_s if act.HasField("in_s") else max(act.due_at_s, now_s)


def badly_due(act: RepairSaga, now_s: float) -> str:
    """Why the act names no instant to which a timer could be moved; empty if it does."""
    if act.WhichOneof("due") is None:
        return "say when it fires: at an instant, or in so many seconds, of which 0 is now"
    given_s = act.in_s if act.HasField("in_s") else act.due_at_s
    is_near = given_s >= 0 and due_at_s(act, now_s) < _YEAR_10000_S
    return "" if is_near else f"{given_s:g} s is no instant at which a timer could fire"


def in_words(act: RepairSaga, named: str, now_s: float) -> str:
    """What the act does to a timer of this description."""
    if act.act == RepairSaga.CANCEL_TIMER:
        return f"cancels {named}"
    at_s = due_at_s(act, now_s)
    if at_s <= now_s:
        return f"fires {named} now"
    return f"moves {named} to {datetime.fromtimestamp(at_s, UTC).isoformat(timespec='seconds')}"


def _names(timers: Mapping[str, Timer]) -> str:
    names = sorted(timers)
    if len(names) > _NAMED_MAX:
        names[_NAMED_MAX:] = [f"{len(names) - _NAMED_MAX} more"]
    return ", ".join(names) or "none"
