"""Searches all worlds breadth first. So the first schedule found to a breach is one of the shortest.

Then it searches backwards from where sagas end, by moves that are no misfortune and need no person. A world that is not
reached so is a livelock.
"""

from __future__ import annotations

import gc
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from operator import ge

from runtime.protos.saga_pb2 import SagaRecord
from runtime.testing.explorer.checks import Breach, Checks
from runtime.testing.explorer.driver import SagaDriver
from runtime.testing.explorer.moves import Moved, Moves
from runtime.testing.explorer.world import Left, SagaWorld

__all__ = ["BREACHES_MAX", "Breached", "Search"]

BREACHES_MAX = 20
"""The search stops after so many different breaches: they are enough to work on."""

_REPORT_EVERY = 2_000  # So many states lie between two reports of progress.


@dataclass(frozen=True, slots=True)
class Breached:
    """A breach, with the moves that lead to it from the beginning."""

    breach: Breach
    path: tuple[Moved, ...]


@dataclass(slots=True)
class Search:
    """One search. `progress` hears how many states are known, and how many moves away the farthest is."""

    driver: SagaDriver
    moves: Moves
    states_max: int
    progress: Callable[[int, int], None]
    ended_by: Callable[[], str]  # Names what ends the search; it is asked at each state.
    transitions: int = 0
    depth: int = 0  # The number of moves to the farthest state.
    stopped_by: str = ""  # Empty if all was seen.
    ends: Counter[str] = field(default_factory=Counter)  # States at rest, by the saga's status.
    found: list[Breached] = field(default_factory=list)
    _worlds: list[SagaWorld] = field(default_factory=list)
    _left: list[Left] = field(default_factory=list)
    _numbers: dict[SagaWorld, list[int]] = field(default_factory=dict)  # The states of each world.
    _parents: array[int] = field(default_factory=lambda: array("q"))
    _edges: tuple[array[int], array[int]] = field(default_factory=lambda: (array("q"), array("q")))
    _at_end: list[int] = field(default_factory=list)
    _reported: set[Breach] = field(default_factory=set)

    @property
    def states(self) -> int:
        return len(self._worlds)

    def run(self) -> None:
        """Searches everything. The garbage collector stands still: what is made here is kept, without cycles."""
        collecting = gc.isenabled()
        gc.disable()
        try:
            self._run(Checks(self.driver))
        finally:
            if collecting:
                gc.enable()

    # --- forward ---

    def _run(self, checks: Checks) -> None:
        self._add(self.moves.beginning(), self.moves.all_left, -1)
        number, next_level = 0, 1
        while number < self.states and not self.stopped_by:
            if number == next_level:
                next_level = self.states
                self.depth += 1
            self._expand(number, checks)
            number += 1
            self.stopped_by = self.stopped_by or self.ended_by()
            if number % _REPORT_EVERY == 0:
                self.progress(self.states, self.depth)
        self.progress(self.states, self.depth)
        ended_by = self.ended_by()
        self.stopped_by = self.stopped_by or ended_by
        if not self.found and not ended_by:
            self._look_for_livelock(number)

    def _expand(self, number: int, checks: Checks) -> None:
        world, left = self._worlds[number], self._left[number]
        for moved in self.moves.of(world, left):
            self.transitions += 1
            known = self._known(moved.after, moved.left)
            breaches = [*checks.of_move(world, moved)] or [*(checks.of_state(moved.after) if known is None else ())]
            if breaches:
                self._report(number, moved, breaches)
                continue
            after = self._add(moved.after, moved.left, number) if known is None else known
            if moved.left == left:
                self._link(number, after)
            if self.stopped_by:
                return

    def _add(self, world: SagaWorld, left: Left, parent: int) -> int:
        number = self.states
        self._numbers.setdefault(world, []).append(number)
        self._worlds.append(world)
        self._left.append(left)
        self._parents.append(parent)
        if parent >= 0 and world.is_at_rest:
            status = self.driver.views[world.record].status
            self.ends[SagaRecord.Status.Name(status).lower()] += 1
            self._at_end.append(number)
        if self.states >= self.states_max:
            self.stopped_by = "states_max"
        return number

    def _known(self, world: SagaWorld, left: Left) -> int | None:
        """A known state of this world that leaves the environment as much to do or more. It covers all that follows."""
        for number in self._numbers.get(world, ()):
            if self._left[number] == left or all(map(ge, self._left[number], left)):
                return number
        return None

    def _link(self, number: int, after: int) -> None:
        self._edges[0].append(number)
        self._edges[1].append(after)

    # --- what is found ---

    def _report(self, number: int, moved: Moved, breaches: list[Breach]) -> None:
        """Keeps a schedule for each new breach. The search does not go on behind a breach."""
        for breach in breaches:
            if breach not in self._reported:
                self._reported.add(breach)
                self.found.append(Breached(breach, (*self._path(number), moved)))
        if len(self.found) >= BREACHES_MAX:
            self.stopped_by = "violations"

    def _path(self, number: int) -> tuple[Moved, ...]:
        """Makes the moves from the beginning to a state once more."""
        path: list[Moved] = []
        while self._parents[number] >= 0:
            parent, here = self._parents[number], (self._worlds[number], self._left[number])
            moves = self.moves.of(self._worlds[parent], self._left[parent])
            path.append(next(moved for moved in moves if (moved.after, moved.left) == here))
            number = parent
        return tuple(reversed(path))

    # --- backward ---

    def _look_for_livelock(self, expanded: int) -> None:
        """Reports a state from which no end can be reached. States that were not expanded count as ends."""
        lost = self._cut_off([*self._at_end, *range(expanded, self.states)])
        if lost:
            what = "no end can be reached any more: whatever happens next, it goes round in circles"
            self.found.append(Breached(Breach("I4", what), self._path(lost[0])))

    def _cut_off(self, ends: list[int]) -> list[int]:
        before: list[list[int]] = [[] for _ in range(self.states)]
        for source, target in zip(*self._edges, strict=True):
            before[target].append(source)
        reaches = bytearray(self.states)
        waiting = ends
        for number in waiting:
            reaches[number] = 1
        while waiting:
            for source in before[waiting.pop()]:
                if not reaches[source]:
                    reaches[source] = 1
                    waiting.append(source)
        return [number for number in range(self.states) if not reaches[number]]
