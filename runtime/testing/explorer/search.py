"""Searches all worlds, in the order of the moves that lead to them. So a schedule found is one of the shortest.

Then it searches backwards from where sagas end, by moves that are no misfortune and need no person. A world that is not
reached so is a livelock.
"""

from __future__ import annotations

import gc
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import ge

from runtime.protos.saga_pb2 import SagaRecord
from runtime.testing.explorer.checks import Breach, Checks
from runtime.testing.explorer.driver import SagaDriver
from runtime.testing.explorer.moves import Moved, Moves
from runtime.testing.explorer.world import Left, SagaWorld

__all__ = ["BREACHES_MAX", "Search"]

BREACHES_MAX = 20
"""The search stops after so many different breaches: they are enough to work on."""

_REPORT_EVERY = 500  # So many states lie between two reports of progress.


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
    found: dict[Breach, tuple[Moved, ...]] = field(default_factory=dict)  # The moves that lead to each breach.
    _worlds: list[SagaWorld] = field(default_factory=list)
    _left: list[Left] = field(default_factory=list)
    _numbers: dict[SagaWorld, list[int]] = field(default_factory=dict)  # The states of each world.
    _parents: array[int] = field(default_factory=lambda: array("q"))
    _depths: array[int] = field(default_factory=lambda: array("q"))  # So many moves lead to each state.
    _levels: list[list[int]] = field(default_factory=list)  # The states by depth; some have been moved up since.
    _expanded: bytearray = field(default_factory=bytearray)
    _edges: tuple[array[int], array[int]] = field(default_factory=lambda: (array("q"), array("q")))
    _at_end: list[int] = field(default_factory=list)

    @property
    def states(self) -> int:
        return len(self._worlds)

    @property
    def rests(self) -> Iterator[SagaWorld]:
        """The worlds in which nothing more comes by itself."""
        return (self._worlds[number] for number in self._at_end)

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
        self._add(self.moves.beginning(), self.moves.all_left, -1, 0)
        for level, numbers in enumerate(self._levels):  # which grow meanwhile, but for this one
            for number in numbers:
                if self.stopped_by:
                    break
                if self._depths[number] == level:
                    self._expand(number, checks)
                    self.stopped_by = self.stopped_by or self.ended_by()
        self.progress(self.states, self.depth)
        ended_by = self.ended_by()
        self.stopped_by = self.stopped_by or ended_by
        if not self.found and not ended_by:
            self._look_for_livelock()

    def _expand(self, number: int, checks: Checks) -> None:
        world, left = self._worlds[number], self._left[number]
        self.depth = self._depths[number]
        self._expanded[number] = 1
        has_broken = False
        for moved in self.moves.of(world, left):
            has_broken |= self._follow(number, moved, checks)
            if self.stopped_by:
                return
        for moved in self.moves.every(world, left) if has_broken else ():
            self._follow(number, moved, checks)
            if self.stopped_by:
                return

    def _follow(self, number: int, moved: Moved, checks: Checks) -> bool:
        """Whether a move breaks a promise; else the state after it is searched."""
        self.transitions += 1
        depth = self._depths[number] + len(moved.parts)
        for part in moved.parts[:-1]:
            if breaches := [*checks.of_state(part.after)]:
                self._report(number, part, breaches)
                return True
        left = self.moves.usable(moved.after, moved.left)
        known = self._known(moved.after, left, depth)
        breaches = [*checks.of_move(self._worlds[number], moved)]
        if not breaches and known is None:
            breaches = [*checks.of_state(moved.after)]
        if breaches:
            self._report(number, moved, breaches)
            return True
        after = self._add(moved.after, left, number, depth) if known is None else known
        if depth < self._depths[after]:
            self._place(after, number, depth)
        if moved.left == self._left[number]:
            self._link(number, after)
        return False

    def _add(self, world: SagaWorld, left: Left, parent: int, depth: int) -> int:
        number = self.states
        self._numbers.setdefault(world, []).append(number)
        self._worlds.append(world)
        self._left.append(left)
        self._parents.append(parent)
        self._depths.append(depth)
        self._expanded.append(0)
        self._place(number, parent, depth)
        if parent >= 0 and self.driver.is_at_rest(world):
            status = self.driver.views[world.record].status
            self.ends[SagaRecord.Status.Name(status).lower()] += 1
            self._at_end.append(number)
        if self.states >= self.states_max:
            self.stopped_by = "states_max"
        if self.states % _REPORT_EVERY == 0:
            self.progress(self.states, self.depth)
        return number

    def _place(self, number: int, parent: int, depth: int) -> None:
        """So many moves lead to a state, of which the last comes from this parent."""
        self._parents[number], self._depths[number] = parent, depth
        while len(self._levels) <= depth:
            self._levels.append([])
        self._levels[depth].append(number)

    def _known(self, world: SagaWorld, left: Left, depth: int) -> int | None:
        """A known state of this world that leaves the environment as much to do or more, in no more moves.

        It covers all that follows. A state that leaves just as much covers it whatever its depth.
        """
        for number in self._numbers.get(world, ()):
            theirs = self._left[number]
            if theirs == left or (self._depths[number] <= depth and all(map(ge, theirs, left))):
                return number
        return None

    def _link(self, number: int, after: int) -> None:
        self._edges[0].append(number)
        self._edges[1].append(after)

    # --- what is found ---

    def _report(self, number: int, moved: Moved, breaches: list[Breach]) -> None:
        """Keeps a schedule for each new breach, or a shorter one. The search does not go on behind a breach."""
        length = self._depths[number] + len(moved.parts)
        for breach in breaches:
            if breach not in self.found or length < len(self.found[breach]):
                self.found[breach] = (*self._path(number), *moved.parts)
        if len(self.found) >= BREACHES_MAX:
            self.stopped_by = "violations"

    def _path(self, number: int) -> tuple[Moved, ...]:
        """Makes the moves from the beginning to a state once more."""
        path: list[Moved] = []
        while self._parents[number] >= 0:
            parent, here = self._parents[number], (self._worlds[number], self._left[number])
            world, left = self._worlds[parent], self._left[parent]
            moves = chain(self.moves.of(world, left), self.moves.every(world, left))
            path.extend(reversed(next(moved.parts for moved in moves if self._leads_to(moved) == here)))
            number = parent
        return tuple(reversed(path))

    def _leads_to(self, moved: Moved) -> tuple[SagaWorld, Left]:
        return moved.after, self.moves.usable(moved.after, moved.left)

    # --- backward ---

    def _look_for_livelock(self) -> None:
        """Reports a state from which no end can be reached. States that were not expanded count as ends."""
        open_ends = [number for number in range(self.states) if not self._expanded[number]]
        lost = self._cut_off([*self._at_end, *open_ends])
        if lost:
            what = "no end can be reached any more: whatever happens next, it goes round in circles"
            self.found[Breach("I4", what)] = self._path(lost[0])

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
