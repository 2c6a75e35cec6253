"""What an author writes a child saga with: a saga as one step of another, done and undone as a unit.

car = Child(RentCar, start=rent_car, on_done=keep_car)
flow = (seat | car) >> money
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.durations import Span
from runtime.saga.flow import Part

__all__ = ["Child"]


@dataclass(frozen=True, eq=False)
class Child(Part):
    """A saga that this one starts, waits for, and undoes as a whole. It stands before the pivot.

    saga      the class of the child
    start     (state) -> event: what starts the child; its key names the instance, which nobody else may have started
    on_done   (state, result) -> None: copies facts of what the child's `result` made into the state
    timeout   how long until no sign of the child means "maybe begun", and it is undone
    every     how often a child that goes on is asked how it stands; it tells its end by itself
    at_most   how long the child may take; past it this saga turns back, and the child is undone
    may_stay  in words, why the child may stay as it is where it cannot be undone, since its own pivot has passed: this
              saga then passes on. Without it this saga is stuck
    """

    saga: type[Any]
    start: Callable[..., Message]
    on_done: Callable[[Any, Any], None] | None = None
    timeout: Span = 30.0
    every: Span = 300.0
    at_most: Span | None = None
    may_stay: str = ""
