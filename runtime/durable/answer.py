"""What a handler returns when it has more to say than an answer.

    async def pay(self, command: Pay) -> Answer[Paid, LimitReached] | CardDeclined:
        return Answer(Paid(...), events=(LimitReached(...),))

A single message is an answer by itself. A client is told the answer alone. The answer and the events go to whoever
subscribes to them, and to the saga that asked: for that, an event beside its answer is one that the step `ignores`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from google.protobuf.message import Message

__all__ = ["Answer"]

AnswerT_co = TypeVar("AnswerT_co", bound=Message | None, covariant=True)
EventT_co = TypeVar("EventT_co", bound=Message, covariant=True)


@dataclass(frozen=True, slots=True)
class Answer(Generic[AnswerT_co, EventT_co]):
    """An answer, or None for none, and events beside it, in the order in which they are sent."""

    answer: AnswerT_co
    events: Sequence[EventT_co]
