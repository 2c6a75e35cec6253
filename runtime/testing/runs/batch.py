"""The totals of many seeds, as text for people and as an object for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from textwrap import fill

from runtime.failpoints import Failpoint
from runtime.operate.proofs.proof import Proof, ProofResult, SeedsSimulated
from runtime.operate.proofs.proof_file import cut_text
from runtime.ports import Clock
from runtime.testing.proofs import Begun
from runtime.testing.runs.run import RunResult
from runtime.testing.runs.sometimes import COMPLETED_MIN, JUDGED_SEEDS, unseen
from runtime.version import amends_version

__all__ = ["RunBatch"]

_WIDTH = 110
_FAILED_MAX = 100  # So many failed results are kept. Of further ones only the number is.


@dataclass(slots=True)
class RunBatch:
    """Totals over seeds. `clock` is the real one, since it measures how fast they run."""

    clock: Clock
    began_s: float = 0.0
    seeds: int = 0
    steps: int = 0
    failures: int = 0  # The number of seeds with a violation.
    violations: int = 0
    failed: list[RunResult] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)
    seen_in: Counter[str] = field(default_factory=Counter)  # The number of seeds in which each name was seen.
    expected: tuple[str, ...] = ()  # Each of these has to be seen in some seeds.
    workload: str = ""  # Its name on the command line, or empty if it has none.
    calm: bool = False  # The runs have no faults.
    begun: Begun = field(default_factory=Begun)
    ran: set[int] = field(default_factory=set)  # All seeds, by number.
    ended_at_s: float = 0.0  # When the last of them ended, in seconds since 1970.

    def __post_init__(self) -> None:
        self.began_s = self.clock.monotonic_s()

    def add(self, result: RunResult) -> None:
        self.seeds += 1
        self.ran.add(result.seed)
        self.begun.add(result.begun)
        self.ended_at_s = self.clock.now_s()
        self.steps += result.steps
        self.violations += len(result.violations)
        self.faults.update(result.faults)
        self.figures.update(result.figures)
        self.seen_in.update(dict.fromkeys((*result.faults, *result.reached, *result.seen), 1))
        self.seen_in.update({name: 1 for name, count in result.figures.items() if count})
        if result.violations:
            self.failures += 1
            if len(self.failed) < _FAILED_MAX:
                self.failed.append(result)

    @property
    def seeds_per_s(self) -> float:
        return self.seeds / max(self.clock.monotonic_s() - self.began_s, 1e-9)

    @property
    def completed_share(self) -> float:
        """The share of what clients started that succeeded, and was not undone."""
        return self.figures["completed"] / max(self.figures["started"], 1)

    @property
    def missing(self) -> list[str]:
        """What a batch of this size should have met and has not. Without it a clean batch says too little."""
        missing = list(unseen(self.expected, self.seeds, self.seen_in))
        if self.expected and self.seeds >= JUDGED_SEEDS and self.completed_share < COMPLETED_MIN:
            missing.append(f"success ({self.completed_share:.1%} of what was started, {COMPLETED_MIN:.0%} wanted)")
        return missing

    @property
    def again(self) -> str:
        """What runs the first seed that broke a promise once more; empty if none has."""
        if not self.failed:
            return ""
        calm = " --calm" if self.calm else ""
        return f"replay {min(one.seed for one in self.failed)} --workload {self.workload or '...'}{calm}"

    def proofs(self) -> Sequence[Proof]:
        """What it has shown of each definition that its runs began instances of, to be written by `write_proofs`.

        A broken promise counts against all of them, for a run does not know whose fault it was.
        """
        return [self._proof(kind, version) for kind, version in sorted(self.begun.instances)]

    def _proof(self, kind: str, version: str) -> Proof:
        broken = sorted(self.failed, key=lambda one: one.seed)[:1]
        first = [one.violations[0] for one in broken]
        return Proof(
            kind=kind,
            version=version,
            made_at_s=self.ended_at_s,
            amends=amends_version(),
            result=ProofResult.BROKEN if broken else ProofResult.CLEAN,
            short_of="" if broken else cut_text(self._short_of()),
            broke="".join(cut_text(f"{one.invariant}: {one.what}") for one in first),
            shown_by=f"python -m runtime.testing {self.again}" if broken else "",
            did=SeedsSimulated(
                workload=self.workload,
                calm=self.calm,
                seeds=len(self.ran),
                first_seed=min(self.ran),
                last_seed=max(self.ran),
                steps=self.steps,
                begun=self.begun.instances[kind, version],
                begun_in=self.begun.runs[kind, version],
                failpoints=self._failpoints,
                failpoints_of=len(Failpoint),
            ),
        )

    def _short_of(self) -> str:
        if self.calm:
            return "a calm run has no faults"
        return f"it hardly met {', '.join(self.missing)}" if self.missing else ""

    @property
    def _failpoints(self) -> int:
        return sum(point.name in self.seen_in for point in Failpoint)

    def as_object(self) -> dict[str, object]:
        """An object for JSON."""
        return {
            "seeds": self.seeds,
            "seeds_per_s": round(self.seeds_per_s, 2),
            "violations": self.violations,
            "failed_seeds": [result.seed for result in self.failed],
            "faults": dict(sorted(self.faults.items())),
            "completed_share": round(self.completed_share, 4),
            "missing": self.missing,
            "failpoints": self._failpoints,
            "figures": dict(sorted(self.figures.items())),
            "steps": self.steps,
        }

    def lines(self) -> Iterable[str]:
        """The totals as text for people."""
        yield f"{self.seeds} seeds, {self.seeds_per_s:.1f} a second, {self.steps:,} steps"
        yield _counted("what came of it", self.figures)
        yield _counted("faults", self.faults)
        yield f"{self._failpoints} of {len(Failpoint)} failpoints were reached"
        if self.missing:
            yield "this batch proves too little, since it hardly met: " + ", ".join(self.missing)
        if self.failures:
            yield f"{self.failures} seeds broke {self.violations} promises"


def _counted(what: str, counts: Counter[str]) -> str:
    """One line of counts, the greatest first, folded to fit on a screen."""
    told = ", ".join(f"{count:,} {name}".replace(" ", "\u00a0") for name, count in counts.most_common() if count)
    return fill(f"{what}: {told}", _WIDTH, subsequent_indent="  ").replace("\u00a0", " ")
