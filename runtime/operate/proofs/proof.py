"""What one run of the test kit has shown of one definition: what it did, what came of it, when, and by which Amends.

    Exploration, SeedBatch, crashes ──their own results──▶ Proof ──proof_file──▶ a file, a row of the store

A proof is of a definition's fingerprint. Two builds with one fingerprint may differ in what their functions do, so a
broken promise stands until a later clean run has done the same again, or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CrashesTried", "Did", "Proof", "ProofResult", "SchedulesExplored", "SeedsSimulated"]


class ProofResult(StrEnum):
    CLEAN = "clean"  # Every promise was kept, as far as the run went: see `short_of`.
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class SchedulesExplored:
    """An exploration: every schedule of the definition by itself, within bounds."""

    bounds: Mapping[str, int]  # as runtime.testing.Bounds names them
    states: int
    transitions: int
    depth: int  # moves to the farthest state

    def covers(self, other: Did) -> bool:
        """Whether it has seen all that the other could see. How many states are seen bounds no schedule."""
        if not isinstance(other, SchedulesExplored):
            return False
        wanted = {name: value for name, value in other.bounds.items() if name != "states_max"}
        return all(self.bounds.get(name, -1) >= value for name, value in wanted.items())

    def text(self) -> str:
        bounds = ", ".join(f"{name} {value:,}" for name, value in self.bounds.items())
        return (
            f"every schedule within bounds: {self.states:,} states, {self.transitions:,} transitions, "
            f"{self.depth:,} moves deep ({bounds})"
        )


@dataclass(frozen=True, slots=True)
class SeedsSimulated:
    """A batch of seeds: whole clusters, with the faults that each seed draws."""

    workload: str  # its name on the command line; empty if it has none
    calm: bool  # without any fault
    seeds: int
    first_seed: int
    last_seed: int
    steps: int
    begun: int  # instances of this definition, in all seeds
    begun_in: int  # seeds in which there was one at least
    failpoints: int  # durable boundaries that were reached
    failpoints_of: int  # those that there are

    def covers(self, other: Did) -> bool:
        """Whether it has run all the seeds of the other, of the same workload, with faults if the other had any."""
        if not isinstance(other, SeedsSimulated) or (self.workload, self.is_whole) != (other.workload, True):
            return False
        inside = self.first_seed <= other.first_seed and other.last_seed <= self.last_seed
        return inside and (other.calm or not self.calm)

    @property
    def is_whole(self) -> bool:
        """Whether it ran each seed from its first to its last."""
        return self.seeds == self.last_seed - self.first_seed + 1

    def text(self) -> str:
        which = f"{self.first_seed} to {self.last_seed}" if self.is_whole else "chosen one by one"
        return (
            f"{_many(self.seeds, 'seed')} ({which}) of {_named(self.workload)}{', calm' if self.calm else ''}: "
            f"{self.steps:,} steps, {_many(self.begun, 'saga')} of this version in {_many(self.begun_in, 'seed')}, "
            f"{self.failpoints:,} of {self.failpoints_of:,} failpoints reached"
        )


@dataclass(frozen=True, slots=True)
class CrashesTried:
    """A node killed at every failpoint, each time it is reached, and at ordered pairs of failpoints.

    The seed of all runs is the one that reaches the most points, so it may change with the code.
    """

    workload: str
    seed: int
    singles: int  # runs with one crash
    pairs: int  # runs with a crash, and another while the cluster recovers
    all_pairs: bool  # of the points that the workload reaches
    begun: int  # instances of this definition, in all runs
    begun_in: int  # runs in which there was one at least
    failpoints: int  # those at which a node died
    failpoints_of: int

    def covers(self, other: Did) -> bool:
        """Whether it has tried the crashes of the other. Every run tries all single ones, wherever they are by then."""
        if not isinstance(other, CrashesTried) or self.workload != other.workload:
            return False
        return self.all_pairs or (not other.all_pairs and self.pairs >= other.pairs)

    def text(self) -> str:
        return (
            f"a node killed at {self.failpoints:,} of {self.failpoints_of:,} failpoints, in {_named(self.workload)}: "
            f"{_many(self.singles, 'single crash', 'es')} and {_many(self.pairs, 'pair')}, "
            f"{_many(self.begun, 'saga')} of this version in {_many(self.begun_in, 'run')}"
        )


Did = SchedulesExplored | SeedsSimulated | CrashesTried


@dataclass(frozen=True, slots=True)
class Proof:
    """The record of one run. It is made by the run's own result, and never by hand."""

    kind: str
    version: str  # the fingerprint of the definition, as the store has it: 32 digits
    made_at_s: float  # when the run ended, by the clock of its machine
    amends: str  # the version of Amends that ran it
    result: ProofResult
    short_of: str  # why a clean run proves too little; empty if it went as far as it should
    broke: str  # the promise that was broken, in a sentence; empty if none was
    shown_by: str  # the schedule that breaks it, or the command that shows it again
    did: Did

    @property
    def is_whole(self) -> bool:
        """Whether it counts as passed: clean, and as far as it should go."""
        return self.result is ProofResult.CLEAN and not self.short_of

    def clears(self, broken: Proof) -> bool:
        """Whether the broken promise of an older proof stands no more, since all of that run was clean this time."""
        return self.is_whole and self.made_at_s > broken.made_at_s and self.did.covers(broken.did)


def _many(count: int, name: str, ending: str = "s") -> str:
    return f"{count:,} {name}{'' if count == 1 else ending}"


def _named(workload: str) -> str:
    return f"the workload {workload}" if workload else "a workload without a name"
