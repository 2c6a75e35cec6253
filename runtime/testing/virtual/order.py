"""Chooses which of the ready callbacks runs next.

    SimLoop ──ready callbacks, each with its process──▶ Chooser.take ──▶ the next

No single way of choosing finds every bug. A fair one never holds a part back for long; an unfair one rarely changes
quickly. So each run uses one of several. The priorities with change points follow the probabilistic concurrency testing
of Burckhardt et al. (2010).
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Generic, TypeVar

from runtime.testing.virtual.dice import Dice

__all__ = ["CallbackOrder", "Chooser"]

_Owner = TypeVar("_Owner")
_Ready = tuple[_Owner, asyncio.Handle]
_Queue = list[tuple[_Owner, asyncio.Handle]]
_SPAN = 400  # At most so many choices lie between two changes.


class CallbackOrder(Enum):
    """How the next callback is chosen among those that are ready."""

    PLAIN = auto()  # First come, first served, as asyncio does: the control.
    PROCESSES = auto()  # The seed chooses a process; within it the first come is served.
    ANY = auto()  # The seed chooses any callback.
    PRIORITIES = auto()  # The highest process runs; now and then it becomes the lowest.
    STARVED = auto()  # One task waits for all others; now and then another task does.


class Chooser(Generic[_Owner]):
    """Chooses for one run, among callbacks with their owners. A draw of zero means first come, first served."""

    def __init__(self, order: CallbackOrder, dice: Dice) -> None:
        self._dice = dice
        self._ranks: dict[_Owner, int] = {}
        self._last_rank = 0
        self._starved: object = None
        self._change_in = 0
        self.take = {
            CallbackOrder.PLAIN: self._plain,
            CallbackOrder.PROCESSES: self._process,
            CallbackOrder.ANY: self._any,
            CallbackOrder.PRIORITIES: self._highest,
            CallbackOrder.STARVED: self._not_the_starved,
        }[order]

    def _plain(self, queue: _Queue[_Owner]) -> _Ready[_Owner]:
        return queue.pop(0)

    def _any(self, queue: _Queue[_Owner]) -> _Ready[_Owner]:
        return queue.pop(self._dice.next() % len(queue))

    def _process(self, queue: _Queue[_Owner]) -> _Ready[_Owner]:
        owner = queue[self._dice.next() % len(queue)][0]
        return queue.pop(next(index for index, entry in enumerate(queue) if entry[0] is owner))

    def _highest(self, queue: _Queue[_Owner]) -> _Ready[_Owner]:
        ranks, chosen, highest = self._ranks, 0, 0
        for index, (owner, _) in enumerate(queue):
            rank = ranks.get(owner)
            if rank is None:
                rank = ranks[owner] = self._dice.next()
            if index == 0 or rank > highest:
                chosen, highest = index, rank
        if self._changes():
            self._last_rank -= 1
            ranks[queue[chosen][0]] = self._last_rank
        return queue.pop(chosen)

    def _not_the_starved(self, queue: _Queue[_Owner]) -> _Ready[_Owner]:
        drawn = self._dice.next()
        chosen = drawn % len(queue)
        if self._changes():
            self._starved = _task_of(queue[chosen][1]) if drawn else None
        if self._starved is not None:
            for step in range(len(queue)):
                index = (chosen + step) % len(queue)
                if _task_of(queue[index][1]) is not self._starved:
                    return queue.pop(index)
        return queue.pop(chosen)

    def _changes(self) -> bool:
        self._change_in -= 1
        if self._change_in >= 0:
            return False
        self._change_in = _SPAN - self._dice.below(_SPAN)
        return True


def _task_of(handle: asyncio.Handle) -> object:
    """The task that the callback belongs to. A callback of no task stands for itself."""
    callback = handle._callback  # type: ignore[attr-defined]  # an attribute that the stubs do not know
    return getattr(callback, "__self__", callback)
