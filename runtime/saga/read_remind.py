"""From an author's reminder to what an interpreter needs of it: of which task, when, and which message."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.message import Message

from runtime.contracts import RUNTIMES_OWN, contract_of, is_message_type
from runtime.durations import check_count, check_span, in_seconds
from runtime.errors import InvalidDefinition
from runtime.saga.definition import ReminderDefinition
from runtime.saga.flow import Part
from runtime.saga.functions import called, check_state, returned_by, takes
from runtime.saga.node import full_name
from runtime.saga.publish import Publish
from runtime.saga.remind import Remind
from runtime.saga.timer_names import REMIND
from runtime.saga.when import End, When

__all__ = ["read_reminders"]

_TIMES_MAX = 1_000


def read_reminders(
    title: str, state_type: type[Message], reminders: Mapping[str, Remind], places: Mapping[Part, int]
) -> tuple[ReminderDefinition, ...]:
    """In the order of the class. Raises InvalidDefinition."""
    return tuple(_read(f"{title}.{name}", state_type, name, one, places) for name, one in reminders.items())


def _read(
    where: str, state_type: type[Message], name: str, part: Remind, places: Mapping[Part, int]
) -> ReminderDefinition:
    of: object = part.of
    if not isinstance(of, Part) or of not in places:
        raise InvalidDefinition(
            f"{where}: it reminds of no part of the flow; name a step or a wait of the class: Remind(approved, ...)"
        )
    if isinstance(of, When | End | Publish):
        raise InvalidDefinition(f"{where}: a {type(of).__name__} takes no time, so that nothing is to be reminded of")
    every = part.after if part.every is None else part.every
    check_span(part.after, "a reminder is said after a finite span above 0 (after)", where)
    check_span(every, "a reminder is repeated after a finite span above 0 (every)", where)
    check_count(part.times, "times is how many reminders there are at most", where, least=1, most=_TIMES_MAX)
    return ReminderDefinition(
        name=name,
        place=places[of],
        timer=f"{REMIND}{name}",
        after_s=in_seconds(part.after),
        every_s=in_seconds(every),
        times=part.times,
        say=part.say,
        says=_said(part, where, state_type),
    )


def _said(part: Remind, where: str, state_type: type[Message]) -> type[Message]:
    check_state(part.say, f"{where}.say", state_type)
    made = returned_by(part.say, f"{where}.say")
    if not is_message_type(made) or not takes(part.say, 1):
        raise InvalidDefinition(
            f"{where}.say: {called(part.say)} takes the state alone, and is annotated with the message that it makes"
        )
    said: type[Message] = contract_of(made).message_type
    if said.DESCRIPTOR.file.package == RUNTIMES_OWN:
        raise InvalidDefinition(f"{where}.say: {full_name(said)} is the runtime's own; say a message of yours")
    return said
