"""What a service's functions return, and what they leave as state: checked against their signatures.

Sagas, choreographies and the catalogue rely on the signatures. A run that breaks one has failed, and sends nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, NoReturn, Protocol, TypeVar, cast

from google.protobuf.message import Message

from runtime.contracts import Contract, contract_of
from runtime.durable.behaviour import Outgoing
from runtime.durations import SPAN_MAX_S, shown
from runtime.errors import InvalidMessage

__all__ = ["Answer", "check_delay", "command_of_reaction", "outgoing_of", "take_state"]

AnswerT_co = TypeVar("AnswerT_co", bound=Message | None, covariant=True)
EventT_co = TypeVar("EventT_co", bound=Message, covariant=True)


@dataclass(frozen=True, slots=True)
class Answer(Generic[AnswerT_co, EventT_co]):
    """What a handler returns when it has more to say than an answer.

        async def pay(self, command: Pay) -> Answer[Paid, LimitReached] | CardDeclined:
            return Answer(Paid(...), events=(LimitReached(...),))

    The answer may be None for none. A client is told the answer alone. The answer and the events go, in this order, to
    whoever subscribes to them, and to the saga that asked: for that, an event beside its answer is one that the step
    `ignores`. A single message is an answer by itself.
    """

    answer: AnswerT_co
    events: Sequence[EventT_co]


class Signature(Protocol):
    """What a handler says that it returns."""

    @property
    def name(self) -> str: ...

    @property
    def answer_types(self) -> tuple[type[Message], ...]: ...

    @property
    def event_types(self) -> tuple[type[Message], ...]: ...


def outgoing_of(result: object, handler: Signature) -> tuple[Outgoing, ...]:
    """What a handler returned, to be sent. Raises TypeError for what its signature does not name."""
    if result is None:
        return ()
    if type(result) in handler.answer_types and isinstance(result, Message):  # nearly always
        return (Outgoing(result),)
    if not isinstance(result, Answer):
        _refuse_result(result, handler, handler.answer_types)
    if result.answer is not None and type(result.answer) not in handler.answer_types:
        _refuse_result(result.answer, handler, handler.answer_types)
    events: object = result.events
    if not isinstance(events, tuple | list):
        raise TypeError(f"the handler {handler.name} returned an Answer whose events are no tuple or list")
    for one in events:
        if type(one) not in handler.event_types:
            _refuse_result(one, handler, handler.event_types)
    answer = () if result.answer is None else (Outgoing(result.answer),)
    return (*answer, *(Outgoing(one, is_answer=False) for one in events))


def _refuse_result(result: object, handler: Signature, named: Sequence[type[Message]]) -> NoReturn:
    if isinstance(result, Message):
        names = ", ".join(one.DESCRIPTOR.full_name for one in named) or "nothing"
        place = "as its answer" if named is handler.answer_types else "beside its answer"
        raise TypeError(
            f"the handler {handler.name} returned {result.DESCRIPTOR.full_name}, which its signature does not name "
            f"{place}: that says {names}"
        )
    hint = ""
    if inspect.iscoroutine(result):
        result.close()  # nobody will await it
        hint = "; await what it calls"
    elif isinstance(result, tuple):
        hint = "; say which is the answer: Answer(Paid(...), events=(LimitReached(...),))"
    raise TypeError(
        f"the handler {handler.name} returned a {type(result).__name__}; a handler returns a message, an Answer or "
        f"None{hint}"
    )


def take_state(state: Message, put: object) -> None:
    """Copy the object that a handler has put in place of its state. Raises TypeError when it is of another type."""
    if type(put) is not type(state):
        raise TypeError(
            f"the handler left self.state as a {type(put).__name__}; it is a {type(state).__name__}, to be changed"
        )
    state.CopyFrom(put)


def command_of_reaction(made: object, declared: Contract | None, key: str, where: str) -> Message:
    """The command a reaction made for the actor that got the event. Raises TypeError or InvalidMessage for another."""
    if inspect.iscoroutine(made):
        made.close()
    if not isinstance(made, Message) or (declared is not None and type(made) is not declared.message_type):
        raise TypeError(
            f"{where} made a {type(made).__name__}, not a {'command' if declared is None else declared.name}"
        )
    contract = declared or contract_of(type(made))
    if contract.is_command and contract.key(made) != key:
        raise InvalidMessage(
            f"{where} made a {contract.name} for the key {contract.key(made)!r}, and it is the actor {key!r} that got "
            f"the event; say on(..., key=) which field names the actor, or fill {contract.key_field} with it"
        )
    return made


def check_delay(name: object, delay_s: object) -> None:
    """Raises InvalidMessage unless a timer can be set by this name after so long."""
    is_number = isinstance(delay_s, int | float) and not isinstance(delay_s, bool)
    if not (is_number and -SPAN_MAX_S <= cast(float, delay_s) <= SPAN_MAX_S):
        raise InvalidMessage(
            f"the timer {name!r} is set for a delay of {shown(delay_s)}; it is a number of seconds, at most a hundred "
            "years"
        )
