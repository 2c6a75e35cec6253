"""Transitions of several actors that are written together or not at all, in one verdict.

Transition          one actor, or a post
TransitionGroup     turns that follow from one another on one node, each actor at most once
Unit                either: what a batch is made of, and what a verdict is about
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from runtime.envelope import Envelope
from runtime.record import record
from runtime.store.records import Transition

__all__ = ["TransitionGroup", "Unit", "transitions_of"]


@record(frozen=True, slots=True)
class TransitionGroup:
    """Turns that follow from one another, or from commands of one moment. No two of them are of one actor.

    A message that goes from one member to another is in the history of the second, and never in the mail: see
    `Transition.passed`. So are the commands of clients that members may have begun with.
    """

    members: tuple[Transition, ...]
    commands: tuple[Envelope, ...] = ()  # No rows are written for them. If one waits as mail, the group is a DUPLICATE.

    @property
    def weight_bytes(self) -> int:
        """As of Transition."""
        return sum([one.weight_bytes for one in self.members])


Unit: TypeAlias = Transition | TransitionGroup
"""What is written whole or not at all."""


def transitions_of(units: Iterable[Unit]) -> list[Transition]:
    """The transitions of a batch, in order."""
    found: list[Transition] = []
    for unit in units:
        if isinstance(unit, Transition):
            found.append(unit)
        else:
            found += unit.members
    return found
