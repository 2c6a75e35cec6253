"""What an author writes a wait with: nothing is done until a time has come.

cooling_off = Wait(days(14))
on_the_day = Wait(until=departure)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runtime.durations import Span
from runtime.saga.flow import Part

__all__ = ["Wait"]


@dataclass(frozen=True, eq=False)
class Wait(Part):
    """A pause of the flow, durable: no process has to run meanwhile. One of the two is given.

    span   how long
    until  (state) -> datetime with a time zone: the instant at which it ends. One that has passed is no pause
    """

    span: Span | None = None
    until: Callable[[Any], datetime] | None = None
