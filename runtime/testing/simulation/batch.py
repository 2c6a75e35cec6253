"""Many seeds one after another, and what is said of them together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from runtime.ports import Clock
from runtime.testing.simulation.run import Result

__all__ = ["Batch"]

_FAILED_MAX = 100  # results that are kept whole; of more, only the number is


@dataclass(slots=True)
class Batch:
    """Totals over seeds. `clock` is the real one: it measures how fast they go."""

    clock: Clock
    began_s: float = 0.0
    seeds: int = 0
    steps: int = 0
    failures: int = 0  # seeds with a violation
    violations: int = 0
    failed: list[Result] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.began_s = self.clock.monotonic_s()

    def add(self, result: Result) -> None:
        self.seeds += 1
        self.steps += result.steps
        self.violations += len(result.violations)
        self.faults.update(result.faults)
        self.figures.update(result.figures)
        if result.violations:
            self.failures += 1
            if len(self.failed) < _FAILED_MAX:
                self.failed.append(result)

    @property
    def seeds_per_s(self) -> float:
        return self.seeds / max(self.clock.monotonic_s() - self.began_s, 1e-9)

    @property
    def completed_share(self) -> float:
        """Of what clients started, how much succeeded rather than being undone."""
        return self.figures["completed"] / max(self.figures["started"], 1)

    def as_object(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "seeds": self.seeds,
            "seeds_per_s": round(self.seeds_per_s, 2),
            "violations": self.violations,
            "failed_seeds": [result.seed for result in self.failed],
            "faults": dict(sorted(self.faults.items())),
            "completed_share": round(self.completed_share, 4),
            "figures": dict(sorted(self.figures.items())),
            "steps": self.steps,
        }

    def lines(self) -> Iterable[str]:
        """For people."""
        yield f"{self.seeds} seeds, {self.seeds_per_s:.1f} a second, {self.steps:,} steps"
        yield "what came of it: " + ", ".join(f"{count:,} {name}" for name, count in sorted(self.figures.items()))
        yield "faults: " + ", ".join(f"{count:,} {name}" for name, count in sorted(self.faults.items()))
        if self.failures:
            yield f"{self.failures} seeds broke {self.violations} promises"
