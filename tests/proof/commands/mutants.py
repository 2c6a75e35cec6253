"""`mutants`: plants bugs in the product, one at a time, and counts the seeds until each is found."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from runtime.saga.saga import Saga
from runtime.testing.commands import options
from runtime.testing.commands.ending import EndedBySignal, Ending
from runtime.testing.commands.loading import find, workload_named
from runtime.testing.commands.spread import in_order
from tests.proof.mutants.hunt import Hunt, hunt
from tests.proof.mutants.hunters import BATCHES, EXPLORER, Batched, Explored, Hunter, Simulated, Until
from tests.proof.mutants.mutant import Mutant
from tests.proof.mutants.page import page
from tests.proof.mutants.registry import MUTANTS, ROOMS
from tests.proof.mutants.report import Report
from tests.proof.mutants.small_sagas import SMALL_SAGAS

__all__ = ["hunter_named", "mutants"]

_EPILOG = "Exit code 1: a mutant was not found that has to be, or a seed or saga is not clean without one."
_ORDERS = "actors.orchestration:OrderProcess"


@click.command(epilog=_EPILOG)
@click.option("--only", "names", multiple=True, metavar="NAME", help="This one; may be given several times.")
@click.option(
    "--seeds-max", type=click.IntRange(1), default=5000, show_default=True, help="Seeds, or sagas, for each at most."
)
@click.option(
    "--from",
    "first",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="SEED",
    help="The first, of a workload.",
)
@click.option(
    "--workload",
    "workloads",
    multiple=True,
    metavar="[MODULE:]NAME",
    help="Each mutant is hunted with the workload that suits it. Where some are named, and it is not among them, the "
    f"mutant is hunted with each of those. With {EXPLORER}, every schedule of small sagas is tried, to a bound; it "
    f"counts sagas instead of seeds. With {BATCHES} large batches are committed to SQLite and in memory.",
)
@click.option("--jobs", type=click.IntRange(1), default=1, show_default=True, help="Mutants hunted at once.")
@click.option("--list", "listed", is_flag=True, help="Name all mutants, and what each breaks.")
@click.option(
    "--page",
    "target",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write what was found into this page, hunt by hunt; rows of other mutants stay.",
)
@options.as_json
@click.pass_context
def mutants(
    ctx: click.Context,
    names: tuple[str, ...],
    seeds_max: int,
    first: int,
    workloads: tuple[str, ...],
    jobs: int,
    listed: bool,
    target: Path | None,
    as_json: bool,
) -> None:
    """Plant bugs in the product, one at a time, and count the seeds until the simulator finds each.

    Mutants of sagas that the simulator meets too rarely are found by the explorer, which looks at saga after saga.
    """
    chosen = _chosen(names)
    if listed:
        click.echo("\n".join(_list()))
        return
    report = Report()
    with Ending() as ending, options.progress() as progress:
        bar = progress.add_task("mutants", total=len(chosen))
        for one in _hunts(chosen, workloads, range(first, first + seeds_max), jobs, ending):
            report.add(one)
            if target is not None:  # At once, since the last hunt may end hours later.
                target.write_text(page([one], _text(target)), encoding="utf-8")
            progress.update(bar, advance=1, description=f"mutants, {len(report.missed)} not found")
    ending.say(len(report.hunts), len(chosen), "mutants")
    click.echo(json.dumps(report.as_object()) if as_json else "\n".join(report.lines()))
    ctx.exit(ending.exit_code(0 if report.holds else 1))


@dataclass(frozen=True, slots=True)
class _HuntJob:
    """One hunt, in a form that can go to another process."""

    name: str
    workloads: tuple[str, ...]
    seeds: range


def _chosen(names: Sequence[str]) -> list[Mutant]:
    unknown = [name for name in names if name not in MUTANTS]
    if unknown:
        raise click.BadParameter(
            f"there is no mutant {', '.join(map(repr, unknown))}; --list names all of them", param_hint="--only"
        )
    return [mutant for name, mutant in MUTANTS.items() if not names or name in names]


def _list() -> Iterator[str]:
    for room, some in ROOMS.items():
        yield f"{room}:"
        yield from (f"  {mutant.name:36} {mutant.breaks}" for mutant in some)
    yield f"{len(MUTANTS)} mutants"


def _hunts(
    chosen: Sequence[Mutant], workloads: Sequence[str], seeds: range, jobs: int, ending: Ending
) -> Iterator[Hunt]:
    for name in workloads:
        hunter_named(name)  # A bad name is refused before the first hunt begins.
    hunted = [_HuntJob(mutant.name, tuple(workloads), seeds) for mutant in chosen]
    if jobs > 1:
        yield from in_order(_hunt, hunted, jobs=jobs, ending=ending)
        return
    with suppress(EndedBySignal):  # The hunt that a signal ends is not in the report.
        for one in hunted:
            yield _hunt(one, ending)


def _hunt(job: _HuntJob, ending: Ending | None = None) -> Hunt:
    mutant, given = MUTANTS[job.name], job.workloads
    chosen = given if given and mutant.workload not in given else (mutant.workload,)
    until = (Ending() if ending is None else ending).check
    return hunt(mutant, {one: Until(hunter_named(one), until) for one in chosen}, job.seeds)


def hunter_named(name: str) -> Hunter:
    """The hunter of this name: the explorer, large batches, or the simulator with a workload. Raises BadParameter."""
    if name == BATCHES:
        return Batched()
    if name != EXPLORER:
        return Simulated(workload_named(name))
    process: type[Saga[Any]] = find(_ORDERS, "saga", "--workload")
    return Explored({"order process": process, **SMALL_SAGAS})


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
