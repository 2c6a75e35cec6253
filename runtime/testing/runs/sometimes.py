"""What a large batch has to meet before its being clean says anything: each fault, boundary and interesting state.

    Batch ──in how many seeds was it seen?──▶ unseen ──▶ the batch does not count

A simulator whose faults no longer strike finds nothing, and its product seems to have no bugs. So each name has to be
met in a share of the seeds. The idea is Antithesis's, and was FoundationDB's before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from runtime.failpoints import Failpoint
from runtime.testing.name_list import name_list

__all__ = ["COMPLETED_MIN", "JUDGED_SEEDS", "Expecting", "expected_by", "unseen"]

JUDGED_SEEDS = 400
"""A smaller batch is not judged."""

COMPLETED_MIN = 0.1
"""At least this share of what clients start has to succeed: a run in which nothing works proves nothing."""

_ONE_IN = 400  # Each is met in one of so many seeds. The rarest come twice as often, so no build fails by chance.

_FAULTS = (
    "clock drifts",
    "clock jumps",
    "clock of the store jumps",
    "clock wrong at the start",
    "clogged",
    "commit applied, node dies",
    "commit applied, unknown",
    "commit hangs",
    "commit late, unknown",
    "commit missing, unknown",
    "cut",
    "cut from the store",
    "cut one way",
    "database down",
    "deaf",
    "drained",
    "frozen",
    "frozen at a failpoint",
    "handler fails",
    "killed",
    "killed at a failpoint",
    "kind paused",
    "lock not won",
    "killed between steps",
    "killed for long",
    "powered off",
    "refused: StoreBusy",
    "refused: StoreFull",
    "refused: StoreUnavailable",
    "reply of a write lost",
    "rolled out",
    "settle fails",
    "slow call",
    "store locked",
    "store unreachable",
    "stream torn",
    "two of one name",
)
_VERDICTS = ("COMMITTED", "CONFLICT", "MAIL_MISSING", "HANDLED", "UNDONE")


@runtime_checkable
class Expecting(Protocol):
    """A workload that is made to meet everything. Batches of other workloads are not judged."""

    @property
    def expects(self) -> Iterable[str]:
        """The names of verdicts, outcomes and figures that it meets beside the faults."""
        ...

    @property
    def never(self) -> Iterable[str]:
        """The names of the failpoints that it cannot reach."""
        ...


def expected_by(workload: object) -> tuple[str, ...]:
    """Every name that a large batch of this workload has to meet; none if the workload says nothing."""
    if not isinstance(workload, Expecting):
        return ()
    never = frozenset(name_list(workload.never, "never"))
    points = (point.name for point in Failpoint if point.name not in never)
    return (*_FAULTS, *_VERDICTS, *points, *name_list(workload.expects, "expects"))


def unseen(expected: Iterable[str], seeds: int, seen_in: Mapping[str, int]) -> Iterator[str]:
    """Each name that too few of so many seeds met, with the number of seeds that did."""
    if seeds < JUDGED_SEEDS:
        return
    least = max(1, seeds // _ONE_IN)
    for name in dict.fromkeys(expected):
        if seen_in.get(name, 0) < least:
            yield f"{name} ({seen_in.get(name, 0)} of {seeds} seeds, {least} wanted)"
