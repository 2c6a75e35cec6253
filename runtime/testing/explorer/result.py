"""What an exploration found, for asserting, printing and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from runtime.operate.proofs.proof import Proof, ProofResult, SchedulesExplored
from runtime.operate.proofs.proof_file import cut_text
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.diagram import Diagram
from runtime.version import amends_version

__all__ = ["BrokenCheck", "Exploration"]


@dataclass(frozen=True, slots=True)
class BrokenCheck:
    """A broken promise, with one of the shortest schedules that break it."""

    check: str  # I1 to I15 as in docs/proof/simulation.md; "author" for a function of the author.
    what: str
    diagram: Diagram

    @property
    def moves(self) -> int:
        """The number of moves in the schedule."""
        return self.diagram.moves

    def text(self) -> str:
        return f"{self.check}: {self.what}\n{self.diagram.text()}"

    def mermaid(self) -> str:
        return self.diagram.mermaid(f"{self.check}: {self.what}")


@dataclass(frozen=True, slots=True)
class Exploration:
    """All that an exploration saw of one saga."""

    saga: str
    kind: str
    version: str  # The fingerprint of the saga's definition, as stores have it.
    bounds: Bounds
    states: int
    transitions: int
    depth: int  # The number of moves to the farthest state.
    took_s: float
    ended_at_s: float  # Seconds since 1970.
    complete: bool  # Every schedule within the bounds was seen.
    stopped_by: str  # Why it is not complete: states_max, violations, or a signal.
    ends: Mapping[str, int]  # States at rest, by the saga's status.
    violations: tuple[BrokenCheck, ...]  # The shortest schedules come first.

    def check(self, *, complete: bool = True) -> None:
        """Raises AssertionError with the diagram of the first violation. `complete` asks that all was seen, too."""
        if self.violations:
            more = len(self.violations) - 1
            raise AssertionError(f"{self.saga}: {self.violations[0].text()}" + (f"\nand {more} more" if more else ""))
        if complete and not self.complete:
            raise AssertionError(
                f"{self.saga}: not all schedules within the bounds were seen: {self.stopped_by} stopped the search "
                f"after {self.states:,} states; raise it, or lower other bounds"
            )

    def proofs(self) -> Sequence[Proof]:
        """What it has shown of the saga's definition, to be written by `write_proofs`."""
        broken = self.violations[:1]
        proof = Proof(
            kind=self.kind,
            version=self.version,
            made_at_s=self.ended_at_s,
            amends=amends_version(),
            result=ProofResult.BROKEN if broken else ProofResult.CLEAN,
            short_of="" if self.complete or broken else f"stopped by {self.stopped_by} after {self.states:,} states",
            broke="".join(cut_text(f"{one.check}: {one.what}") for one in broken),
            shown_by="".join(cut_text("\n".join(one.diagram.lines())) for one in broken),
            did=SchedulesExplored(asdict(self.bounds), self.states, self.transitions, self.depth),
        )
        return (proof,)

    def lines(self) -> Iterable[str]:
        """The result as text for people."""
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
        """An object for JSON."""
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
