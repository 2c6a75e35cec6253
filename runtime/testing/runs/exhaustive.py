"""Kills a node at every failpoint, each time it is reached; then once more at every other while it recovers.

    reference run ──how often each point is reached──▶ a run for each (point, n-th time)       one crash
                                                       a run for each ordered pair of points   a crash, and one after it

Nothing is left to chance. Every run has the same small workload, the same order of callbacks and the same faults; only
the place of the crash differs. The promises are those of every run (see `ledger`), so a crash may cost time alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd

from runtime.failpoints import Failpoint
from runtime.testing.runs.run import RunResult, simulate_scene
from runtime.testing.runs.workload import Workload
from runtime.testing.storm.scene import Scene
from runtime.testing.storm.storm import Plan
from runtime.testing.virtual.order import CallbackOrder
from runtime.testing.world.ambush import Ambush
from runtime.testing.world.node import NodeSpec
from runtime.testing.world.store_faults import StoreFaults

__all__ = ["Crash", "Reference", "pairs", "reference", "run_crash", "singles", "some_pairs"]

_SEEDS = 60  # So many seeds are tried for the reference.
_RESTARTS_S = (0.05, 0.5, 2.5)  # Before the lease ends, just after others notice, and long after.


@dataclass(frozen=True, slots=True)
class Crash:
    """One run. The node that reaches `point` for the `hit`th time is killed, then the one that reaches `after`."""

    point: Failpoint
    hit: int
    after: Failpoint | None = None
    restart_s: float = _RESTARTS_S[0]

    def __str__(self) -> str:
        after = "" if self.after is None else f", then at {self.after.name}"
        return f"killed at {self.point.name}, time {self.hit}{after}; started again after {self.restart_s:g} s"


@dataclass(frozen=True, slots=True)
class Reference:
    """The run without a crash, and how often it reaches each point."""

    seed: int
    result: RunResult
    hits: Mapping[Failpoint, int]

    @property
    def reached(self) -> list[Failpoint]:
        return [point for point, times in self.hits.items() if times]


def reference(workload: Workload) -> Reference:
    """The run that reaches the most points, among those of the first few seeds."""
    tried = [_tried(workload, seed) for seed in range(_SEEDS)]
    return max(tried, key=lambda one: len(one.reached))


def _tried(workload: Workload, seed: int) -> Reference:
    result = run_crash(workload, seed, None)
    return Reference(seed, result, {point: result.reached.get(point.name, 0) for point in Failpoint})


def singles(base: Reference) -> Iterator[Crash]:
    """A crash at every point, for each time that the reference run reaches it."""
    for point, times in base.hits.items():
        for hit in range(1, times + 1):
            yield Crash(point, hit, restart_s=_RESTARTS_S[hit % len(_RESTARTS_S)])


def pairs(base: Reference) -> Iterator[Crash]:
    """Crashes at every ordered pair of reached points. The first crash comes in the middle of the run."""
    for number, point in enumerate(base.reached):
        for other, after in enumerate(base.reached):
            restart_s = _RESTARTS_S[(number + other) % len(_RESTARTS_S)]
            yield Crash(point, 1 + base.hits[point] // 2, after, restart_s)


def some_pairs(base: Reference, pairs_max: int) -> list[Crash]:
    """So many of the pairs at most, spread over all: many of them have every point as first and as second."""
    every = list(pairs(base))
    step = max(1, len(every) // max(1, pairs_max))
    while gcd(step, len(every)) > 1:  # Otherwise some points would never come second.
        step += 1
    return [every[number * step % len(every)] for number in range(min(pairs_max, len(every)))]


def run_crash(workload: Workload, seed: int, crash: Crash | None) -> RunResult:
    """Runs one crash; None gives a reference run."""
    return simulate_scene(seed, workload, lambda dice, services: _scene(crash, services))


def _scene(crash: Crash | None, services: Sequence[str]) -> Scene:
    ambush = None
    if crash is not None:
        then = None if crash.after is None else Ambush(crash.after, lasting=True)
        ambush = Ambush(crash.point, crash.hit, then, lasting=True)
    return Scene(
        order=CallbackOrder.PLAIN,
        nodes=(NodeSpec("one"), NodeSpec("two")),
        plan=Plan(
            acts=("drain", "kill", "cut"),
            every_s=0.4,
            lasts_s=2.0,
            store=StoreFaults(delay_s=(0.001, 0.002), refused=0.02, unknown_applied=0.03, unknown_missing=0.03),
            handler_fails=0.25,
        ),
        settings={"store": "memory:", "shards_per_kind": 2, "drain_s": 2.0, "idle_s": 0.5},
        ambush=ambush,
        restart_s=_RESTARTS_S[0] if crash is None else crash.restart_s,
    )
