"""What has to happen now and then, or a clean batch says little: each fault, each boundary, each interesting state.

    Batch ──in how many seeds was it seen?──▶ unseen ──▶ the batch does not count

A simulator whose faults no longer strike finds nothing, and looks like a product without bugs. So each name has to be
met in some share of the seeds. The idea is Antithesis's, and FoundationDB's before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, runtime_checkable

from runtime.failpoints import Failpoint
from runtime.testing.name_list import name_list

__all__ = ["COMPLETED_MIN", "JUDGED_SEEDS", "Expecting", "expected_by", "unseen"]

JUDGED_SEEDS = 400
"""Fewer seeds are too few to judge by."""

COMPLETED_MIN = 0.1
"""Of what clients started, at least this share has to succeed: a run in which nothing works proves nothing."""

_ONE_IN = 400  # seeds, at least; the rarest come up twice as often, so that no build fails by chance

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
    """A workload that is made to meet everything: only of such a one a batch is judged."""

    @property
    def expects(self) -> Iterable[str]:
        """What it meets beside the faults: names of verdicts, outcomes and figures."""
        ...

    @property
    def never(self) -> Iterable[str]:
        """Failpoints that it cannot reach, by name."""
        ...


def expected_by(workload: object) -> tuple[str, ...]:
    """Every name that a large batch of this workload has to meet; none when it does not say."""
    if not isinstance(workload, Expecting):
        return ()
    never = frozenset(name_list(workload.never, "never"))
    points = (point.name for point in Failpoint if point.name not in never)
    return (*_FAULTS, *_VERDICTS, *points, *name_list(workload.expects, "expects"))


def unseen(expected: Iterable[str], seeds: int, seen_in: Mapping[str, int]) -> Iterator[str]:
    """What was met in too few of so many seeds, with the number of seeds that met it."""
    if seeds < JUDGED_SEEDS:
        return
    least = max(1, seeds // _ONE_IN)
    for name in dict.fromkeys(expected):
        if seen_in.get(name, 0) < least:
            yield f"{name} ({seen_in.get(name, 0)} of {seeds} seeds, {least} wanted)"
