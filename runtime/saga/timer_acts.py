"""Acts of operators on one timer of a saga: it fires at another instant, or not at all.

    MOVE_TIMER ──▶ the timer is set anew, for later or for now; when it fires, it means what it always meant
    CANCEL_TIMER ──▶ only of what nothing needs to go on: a reminder, the deadline, the time limit of an approval

Without any other timer, a saga would wait for ever, and nobody would know. So a cancellation of one is refused, and the
refusal names the act that does what is wanted. Of a limit that was cancelled, `explain` says that there is none.
"""

from __future__ import annotations

from typing import assert_never

from runtime.durable.behaviour import CancelTimer, SetTimer
from runtime.durable.timer_acts import badly_due, in_words
from runtime.durable.timer_acts import due_at_s as moved_to_s
from runtime.protos.saga_pb2 import RepairSaga, TaskRecord
from runtime.saga.instance import Instance
from runtime.saga.node import ApprovalDefinition
from runtime.saga.timer_names import DEADLINE, REMIND
from runtime.saga.timer_purposes import Purpose, purpose_of, purposes_of, task_of

__all__ = ["ACTS_ON_TIMERS", "CANCELLABLE", "carry_out", "limit", "refusal", "text"]

ACTS_ON_TIMERS = (RepairSaga.MOVE_TIMER, RepairSaga.CANCEL_TIMER)

CANCELLABLE = (Purpose.REMINDER, Purpose.DEADLINE, Purpose.APPROVAL)
"""A saga goes on without these."""

_NAMED_MAX = 20  # timers, in a refusal
_LATER = "move-timer has it fire later, or now"


def refusal(saga: Instance, act: RepairSaga) -> str:
    """Why the act is not done; empty if it is."""
    if act.task:
        return "it is about a timer: name that, and no task"
    purpose = _purpose(saga, act.timer)
    if purpose is None:
        return f"it waits for no timer {act.timer!r}; there are {_names(saga)}"
    if act.act == RepairSaga.CANCEL_TIMER:
        return "" if purpose in CANCELLABLE else _why_needed(purpose, act.timer)
    return badly_due(act, saga.now_s)


def carry_out(saga: Instance, act: RepairSaga) -> None:
    """The act is allowed: set the timer anew, or cancel it; and keep in the record what goes by its instant."""
    timer, due_at_s = act.timer, 0.0
    is_limit = _purpose(saga, timer) in (Purpose.EVENT, Purpose.LOCK)
    if act.act == RepairSaga.CANCEL_TIMER:
        saga.timers.append(CancelTimer(timer))
    else:
        due_at_s = moved_to_s(act, saga.now_s)
        saga.timers.append(SetTimer(timer, due_at_s, after_mail=is_limit))
    task = task_of(saga.record, timer)
    if timer == DEADLINE:
        saga.record.deadline_cancelled = "" if due_at_s else f"{act.who}: {act.reason}"
    elif task is not None:
        saga.moved(task)
        if is_limit:
            task.until_s = due_at_s
    for reminder in saga.record.reminders:
        if timer == f"{REMIND}{reminder.name}":
            reminder.due_at_s = due_at_s


def text(saga: Instance, act: RepairSaga) -> str:
    """What the act does, in words."""
    return in_words(act, f"timer {act.timer} ({_purpose(saga, act.timer)})", saga.now_s)


def limit(saga: Instance, timer: str, declared: str, task: TaskRecord | None = None) -> str:
    """By when something was to happen: within the declared time, unless an operator moved the timer that has fired."""
    for one in reversed(saga.record.repairs):
        is_last = task is None or one.revision == task.moved_at  # Nothing has happened to the task since.
        if one.act == RepairSaga.MOVE_TIMER and one.timer == timer and is_last:
            return f"by the instant to which {one.who} moved its timer"
    return f"within {declared}"


def _purpose(saga: Instance, timer: str) -> Purpose | None:
    """None also of what the definition does not declare."""
    purpose, definition = purpose_of(saga.record, timer), saga.definition
    if timer == DEADLINE:
        return purpose if definition.deadline_s else None
    if timer.startswith(REMIND):
        return purpose if any(one.timer == timer for one in definition.reminders) else None
    place = saga.place_of_timer(timer)
    if place is None:
        return None
    node = saga.node_at(place)
    return None if isinstance(node, ApprovalDefinition) and not node.within_s else purpose


def _names(saga: Instance) -> str:
    names = [name for name, _ in purposes_of(saga.record) if _purpose(saga, name) is not None]
    if len(names) > _NAMED_MAX:
        names[_NAMED_MAX:] = [f"{len(names) - _NAMED_MAX} more"]
    return ", ".join(names) or "none"


def _why_needed(purpose: Purpose, timer: str) -> str:
    match purpose:
        case Purpose.PAUSE:
            return f"what comes after {timer} would never begin: move-timer to now ends the pause"
        case Purpose.TIMEOUT:
            return f"{timer} could be waited for without end: {_LATER}, and force declares it done"
        case Purpose.EVENT | Purpose.LOCK | Purpose.PROBE:
            return f"{timer} could be waited for without end: {_LATER}"
        case Purpose.ASK_AGAIN:
            return f"{timer} would never be asked again: {_LATER}"
        case Purpose.UNDO_PAUSE:
            return f"the undo of {timer} is owed, and would never be asked for again: {_LATER}"
        case Purpose.DEADLINE | Purpose.REMINDER | Purpose.APPROVAL:
            raise AssertionError("these may be cancelled")
        case _:
            assert_never(purpose)
