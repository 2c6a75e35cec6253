"""Many series one after another, until the power was cut often enough, and their totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

from runtime.ports import Clock
from runtime.testing.runs.workload import Workload
from tests.proof.power.disk import Disk
from tests.proof.power.result import CutResult
from tests.proof.power.series import cut_series

__all__ = ["Failure", "PowerCuts", "cut_power", "story"]

_LIVES_MAX = 50  # So many cuts are made on one store: a large file would make each examination slow.
_IN_MEMORY = Path("/dev/shm")  # On Linux; the model needs no real disk.
_KEPT_MAX = 10  # So many images of failures are kept. Of further failures only the seed is kept.


@dataclass(frozen=True, slots=True)
class Failure:
    """A series that broke a promise. The folder `image` has what the power cut left of the store."""

    result: CutResult
    image: Path | None


@dataclass(slots=True)
class PowerCuts:
    """The totals over all series. `clock` is the real clock, which measures how long they take."""

    clock: Clock
    began_s: float = 0.0
    cuts: int = 0
    series: int = 0
    lost: int = 0
    corrupt: int = 0
    failed: list[Failure] = field(default_factory=list)
    happened: Counter[str] = field(default_factory=Counter)
    figures: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.began_s = self.clock.monotonic_s()

    def add(self, result: CutResult) -> None:
        self.series += 1
        self.cuts += result.cuts
        self.lost += len(result.lost)
        self.corrupt += len(result.corrupt)
        self.happened.update(result.happened)
        self.figures.update(result.figures)

    @property
    def seconds(self) -> float:
        return self.clock.monotonic_s() - self.began_s

    def as_object(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "cuts": self.cuts,
            "lost": self.lost,
            "corrupt": self.corrupt,
            "series": self.series,
            "seconds": round(self.seconds, 2),
            "failed": [_as_object(one) for one in self.failed],
            "happened": dict(sorted(self.happened.items())),
            "figures": dict(sorted(self.figures.items())),
        }

    def lines(self) -> Iterable[str]:
        """For people."""
        yield f"{self.cuts:,} power cuts in {self.series} stores, {self.seconds:.1f} s"
        yield "the power went: " + ", ".join(f"{count:,} {name}" for name, count in sorted(self.happened.items()))
        yield "what came of it: " + ", ".join(f"{count:,} {name}" for name, count in sorted(self.figures.items()))
        yield f"{self.lost} promises lost, {self.corrupt} times corrupt"


def cut_power(
    cuts: int,
    workload: Workload,
    total: PowerCuts,
    *,
    first: int = 0,
    keep: Path | None = None,
    disk: type[Disk] = Disk,
    told: Callable[[CutResult], object] = lambda result: None,
) -> None:
    """Cut the power so many times, in series of the seeds from `first` on; `told` hears of each series.

    What a failing cut left of the store is kept in a folder under `keep`, or under the system's temporary folder.
    """
    seed = first
    while total.cuts < cuts:
        with TemporaryDirectory(prefix=f"amends-power-{seed}-", dir=_workplace()) as folder:
            cuts_max = min(cuts - total.cuts, _LIVES_MAX)
            result = cut_series(seed, workload, Path(folder), cuts_max=cuts_max, disk=disk)
        total.add(result)
        if result.broken:
            image = (
                _keep(result, keep or Path(gettempdir()) / "amends-power") if len(total.failed) < _KEPT_MAX else None
            )
            total.failed.append(Failure(result, image))
        told(result)
        seed += 1


def _workplace() -> str | None:
    return str(_IN_MEMORY) if _IN_MEMORY.is_dir() else None


def _keep(result: CutResult, keep: Path) -> Path | None:
    cut = result.failed_at
    if cut is None:
        return None
    folder = keep / f"seed-{result.seed}-cut-{cut.number}"
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        left.unlink()  # It is of an earlier run.
    for name, content in cut.image.items():
        (folder / name).write_bytes(content)
    (folder / "story.txt").write_text("\n".join(story(result)) + "\n", encoding="utf-8")
    return folder


def story(result: CutResult) -> Iterator[str]:
    cut = result.failed_at
    yield f"seed {result.seed}" + ("" if cut is None else f", cut {cut.number}: {cut.when}, at {cut.went_at}")
    yield from (f"{one.invariant}: {one.what}" for one in result.broken)
    for conversation, text in result.conversations.items():
        yield f"conversation {conversation.hex()}:"
        yield from (f"  {line}" for line in text.splitlines())


def _as_object(failure: Failure) -> dict[str, object]:
    result, cut = failure.result, failure.result.failed_at
    return {
        "seed": result.seed,
        "cut": None if cut is None else cut.number,
        "when": None if cut is None else cut.when,
        "at": None if cut is None else cut.went_at,
        "violations": [{"invariant": one.invariant, "what": one.what} for one in result.broken],
        "image": None if failure.image is None else str(failure.image),
    }
