"""What an author writes a choice with: which parts of the flow this instance takes.

wrap = Step(...)
gift = When(is_gift, then=wrap)
flow = pack >> gift >> ship
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runtime.saga.flow import Flow, Part

__all__ = ["End", "When"]


@dataclass(frozen=True, eq=False)
class When(Part):
    """A choice, made once by this instance's state and recorded: what changes later does not change it.

    condition  (state) -> bool
    then       what is done if it is true
    otherwise  what is done if it is not; without it, nothing. The parts that are not chosen are passed over
    """

    condition: Callable[[Any], bool]
    then: Part | Flow
    otherwise: Part | Flow | None = None

    @property
    def branches(self) -> tuple[Flow, Flow | None]:
        return Flow.of(self.then), None if self.otherwise is None else Flow.of(self.otherwise)

    def in_flow(self) -> Flow:
        """The choice with both its branches behind it."""
        branches = [one for one in self.branches if one is not None]
        parts = tuple(part for branch in branches for part in branch.parts)
        edges = tuple((self, begin) for branch in branches for begin in branch.entries)
        inner = tuple(edge for branch in branches for edge in branch.edges)
        ends = tuple(part for branch in branches for part in branch.open_ends)
        own = () if self.otherwise is not None else (self,)
        return Flow((self, *parts), (*edges, *inner), (*own, *ends))


@dataclass(frozen=True, eq=False)
class End(Part):
    """The saga is done early: what has not begun is passed over, what is under way is waited for.

    It stands in a branch of a choice: When(is_empty, then=nothing_to_do) with nothing_to_do = End().
    """
