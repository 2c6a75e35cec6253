"""What an author writes a wait for a person with: the saga goes on once somebody who may has approved.

boss = Approval(purchase, by=is_manager, within=days(3))
flow = boss >> order
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.durations import Span
from runtime.saga.flow import Part

__all__ = ["Approval"]


@dataclass(frozen=True, eq=False)
class Approval(Part):
    """A person approves, or declines, a message that the saga makes of its state. It is known by its digest.

    An approval names the digest of what was looked at. If that is not what the saga would ask for now, since its state
    has changed meanwhile, the approval is refused, and both digests are told.

    asks         (state) -> message: what is to be approved
    by           (state, who) -> bool: whether this person may. Without it, anybody may
    within       how long there is for it; without it, there is no limit
    goes_on      whether the saga goes on once the time is over. Otherwise it turns back, as when the person declines
    on_approved  (state, who) -> None: takes into the state who it was
    """

    asks: Callable[[Any], Message]
    by: Callable[[Any, str], bool] | None = None
    within: Span | None = None
    goes_on: bool = False
    on_approved: Callable[[Any, str], None] | None = None
