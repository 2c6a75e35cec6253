"""Reminders of an instance: said while a task is under way, and forgotten when it is settled.

    a task is begun ──timer──▶ said ──timer──▶ said ... as often as is declared
         └──settled, given up, undone──▶ the timer is cancelled

A reminder changes nothing of the process, so it moves no revision: what an operator has decided on stands. One that its
author's function cannot make raises an alarm, and the saga goes on: the next one may be said.
"""

from __future__ import annotations

from typing import Any

from runtime.durable.behaviour import CancelTimer, Outgoing, SetTimer
from runtime.protos.saga_pb2 import ReminderRecord, SagaRecord, TaskRecord
from runtime.saga import author
from runtime.saga.author import AuthorFailed
from runtime.saga.definition import ReminderDefinition
from runtime.saga.instance import Instance
from runtime.saga.timer_names import REMIND

__all__ = ["follow_reminders", "reminder_fired"]


def reminder_fired(saga: Instance, timer: str) -> bool:
    """Whether this is the timer of a reminder; then all is done about it."""
    reminder = next((one for one in saga.definition.reminders if one.timer == timer), None)
    if reminder is None:
        return False
    entry = _entry(saga, reminder.name)
    if entry is None or not _is_open(saga, reminder) or not entry.due_at_s:
        saga.note = f"nothing is to be reminded of by {reminder.name} any more"
        return True
    saga.is_aside = True
    entry.said += 1
    _say(saga, reminder, entry)
    entry.due_at_s = saga.now_s + reminder.every_s if entry.said < reminder.times else 0.0
    if entry.due_at_s:
        saga.timers.append(SetTimer(reminder.timer, entry.due_at_s))
    return True


def follow_reminders(saga: Instance) -> None:
    """After each input: begin the reminders of tasks that are under way now, and end those of the others."""
    record = saga.record
    if record.suspended or not record.definition:
        return  # Without a definition there is no instance: a cancellation, or an answer, has come before its start.
    known = {one.name: one for one in saga.definition.reminders}
    for entry in [one for one in record.reminders if one.name not in known]:
        saga.timers.append(CancelTimer(f"{REMIND}{entry.name}"))
        record.reminders.remove(entry)
    for reminder in known.values():
        found = _entry(saga, reminder.name)
        if _is_open(saga, reminder):
            if found is None:
                due_at_s = saga.now_s + reminder.after_s
                record.reminders.add(name=reminder.name, due_at_s=due_at_s)
                saga.timers.append(SetTimer(reminder.timer, due_at_s))
        elif found is not None:
            if found.due_at_s:
                saga.timers.append(CancelTimer(reminder.timer))
            record.reminders.remove(found)


def _is_open(saga: Instance, reminder: ReminderDefinition) -> bool:
    is_begun = saga.tasks[reminder.place].status == TaskRecord.RUNNING
    return is_begun and saga.heading == SagaRecord.RUNNING


def _entry(saga: Instance, name: str) -> ReminderRecord | None:
    return next((one for one in saga.record.reminders if one.name == name), None)


def _say(saga: Instance, reminder: ReminderDefinition, entry: ReminderRecord) -> None:
    def say(state: Any, _reason: str) -> object:
        return reminder.say(state)

    is_event = not reminder.contract.is_command
    what = f"say of reminder {reminder.name}"
    try:
        made = author.made_by(saga.definition, saga.record, what, say)
        key = "" if is_event else author.key_of(what, reminder.contract, made)
        if is_event:
            body = author.published(what, made, reminder.says, saga.bounds)
        else:
            body = author.body(what, made, saga.bounds.message_bytes_max)
    except AuthorFailed as error:
        entry.error = saga.alarm = str(error)
        return
    entry.error = ""
    saga.outgoing.append(Outgoing(made, key=key, body=body, is_published=is_event))
