"""How much the committer of one node has done: totals since the node started, for whoever watches it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from runtime.distribution import Distribution
from runtime.store.groups import TransitionGroup, Unit
from runtime.store.records import Verdict

__all__ = ["CommitCounts"]

_COMMIT_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCHES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
_COMMITTED = Verdict.COMMITTED  # Looked up once, since each transition asks for it.


@dataclass(slots=True)
class CommitCounts:
    """A group counts as the transitions that it has."""

    commits: int = 0  # transactions that went through
    transitions: int = 0  # verdicts given, of any kind
    conflicts: int = 0  # verdicts other than COMMITTED
    failures: int = 0  # transitions that were told an error
    unknown: int = 0  # commits whose outcome had to be asked for
    commit_s: Distribution = field(default_factory=lambda: Distribution(_COMMIT_S))  # that the store took for each
    batches: Distribution = field(default_factory=lambda: Distribution(_BATCHES))  # transitions of each

    def committed(self, units: Iterable[Unit], took_s: float) -> None:
        self.commits += 1
        self.commit_s.add(took_s)
        self.batches.add(sum(map(_transitions_in, units)))

    def told(self, unit: Unit, verdict: Verdict) -> None:
        count = _transitions_in(unit)
        self.transitions += count
        self.conflicts += 0 if verdict is _COMMITTED else count

    def failed(self, units: Iterable[Unit]) -> None:
        self.failures += sum(map(_transitions_in, units))


def _transitions_in(unit: Unit) -> int:
    return len(unit.members) if isinstance(unit, TransitionGroup) else 1
