"""What an author writes a reminder with: a message that is said while a step, or a wait, is not getting on.

agreed = Approval(ask, by=is_manager, within=days(3))
nag    = Remind(agreed, after=hours(4), say=write_to_manager, every=hours(24), times=3)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.durations import Span
from runtime.saga.flow import Part

__all__ = ["Remind"]


@dataclass(frozen=True, eq=False)
class Remind:
    """A reminder beside a part of the flow. It changes nothing of the saga, and stops when that part is settled.

    of     the step, the wait, the child, the list or the approval that is reminded of
    after  how long that has been under way when the reminder is said for the first time
    say    (state) -> message: an event, which is published; or a command, whose answer nobody waits for
    every  how long after a reminder the next one is said; `after` once more if nothing is said
    times  how many reminders there are at most
    """

    of: Part
    after: Span
    say: Callable[[Any], Message]
    every: Span | None = None
    times: int = 1
