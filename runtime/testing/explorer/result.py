"""What an exploration has found: frozen, and ready to be asserted on, printed, or written as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.diagram import Diagram

__all__ = ["BrokenCheck", "Exploration"]


@dataclass(frozen=True, slots=True)
class BrokenCheck:
    """A promise that is broken, with a shortest schedule that breaks it."""

    check: str  # I1 to I15 as in the simulation's list; "author" for a function of the saga's author
    what: str
    diagram: Diagram

    @property
    def moves(self) -> int:
        """How many things have to happen."""
        return self.diagram.moves

    def text(self) -> str:
        return f"{self.check}: {self.what}\n{self.diagram.text()}"

    def mermaid(self) -> str:
        return self.diagram.mermaid(f"{self.check}: {self.what}")


@dataclass(frozen=True, slots=True)
class Exploration:
    """All that was seen of one saga within the bounds."""

    saga: str
    bounds: Bounds
    states: int
    transitions: int
    depth: int  # moves to the farthest state
    took_s: float
    complete: bool  # every schedule within the bounds was seen
    stopped_by: str  # why not: states_max, violations, or the name of a signal; empty when it is complete
    ends: Mapping[str, int]  # states in which nothing more comes by itself, by the saga's status
    violations: tuple[BrokenCheck, ...]  # the shortest schedules first

    def check(self, *, complete: bool = True) -> None:
        """Raises AssertionError with the diagram of the first violation; and, with `complete`, if not all was seen."""
        if self.violations:
            more = len(self.violations) - 1
            raise AssertionError(f"{self.saga}: {self.violations[0].text()}" + (f"\nand {more} more" if more else ""))
        if complete and not self.complete:
            raise AssertionError(
                f"{self.saga}: not all schedules within the bounds were seen: {self.stopped_by} stopped the search "
                f"after {self.states:,} states; raise it, or lower other bounds"
            )

    def lines(self) -> Iterable[str]:
        """For people."""
        yield (
            f"{self.saga}: {self.states:,} states, {self.transitions:,} transitions, {self.depth} moves deep, "
            f"in {self.took_s:.1f} s"
        )
        yield "at rest: " + (", ".join(f"{count:,} {name}" for name, count in sorted(self.ends.items())) or "never")
        if self.complete:
            yield "complete: every schedule within the bounds was seen"
        else:
            yield f"not complete: stopped by {self.stopped_by}"
        yield "bounds: " + ", ".join(f"{name} {value}" for name, value in asdict(self.bounds).items())
        if self.violations:
            yield f"{len(self.violations)} promises broken"

    def as_object(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "saga": self.saga,
            "states": self.states,
            "transitions": self.transitions,
            "depth": self.depth,
            "took_s": round(self.took_s, 3),
            "complete": self.complete,
            "stopped_by": self.stopped_by,
            "ends": dict(sorted(self.ends.items())),
            "bounds": asdict(self.bounds),
            "violations": len(self.violations),
            "found": [
                {
                    "check": one.check,
                    "what": one.what,
                    "moves": one.moves,
                    "schedule": one.diagram.lines(),
                    "mermaid": one.mermaid(),
                }
                for one in self.violations
            ],
        }
