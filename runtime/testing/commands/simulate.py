"""`simulate`: runs many seeds, and shows the first that breaks a promise."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from runtime.adapters import SystemClock
from runtime.testing.commands import options
from runtime.testing.commands.ending import Ending
from runtime.testing.commands.loading import workload_named
from runtime.testing.commands.spread import spread
from runtime.testing.runs.batch import RunBatch
from runtime.testing.runs.run import RunResult, simulate_seed
from runtime.testing.runs.sometimes import expected_by
from runtime.testing.runs.story import story
from runtime.testing.runs.workload import Workload

__all__ = ["simulate"]


@click.command()
@click.option("--seeds", type=click.IntRange(1), default=100, show_default=True, help="Run so many seeds.")
@click.option(
    "--from",
    "first",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="SEED",
    help="Start with this one.",
)
@click.option(
    "--list",
    "seed_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run the seeds of a file.",
)
@options.workload
@options.jobs
@options.calm
@options.proof
@options.as_json
@click.pass_context
def simulate(
    ctx: click.Context,
    seeds: int,
    first: int,
    seed_file: Path | None,
    name: str,
    jobs: int,
    calm: bool,
    proof: Path | None,
    as_json: bool,
) -> None:
    """Run many seeds, and show the first that breaks a promise."""
    if seed_file is not None:
        options.refuse_beside(ctx, "--list", "seeds", "first")
    chosen = list(range(first, first + seeds) if seed_file is None else _listed(seed_file))
    with Ending() as ending:
        batch = _run(chosen, name, calm=calm, jobs=jobs, ending=ending)
    ending.say(batch.seeds, len(chosen), "seeds")
    if as_json:
        click.echo(json.dumps(batch.as_object()))
    else:
        click.echo("\n".join(batch.lines()))
    if batch.failed:
        failed = min(batch.failed, key=lambda result: result.seed)
        this = f"{failed.seed} --workload {name}{' --calm' if calm else ''}"
        click.echo("\n".join(story(failed, again=f"replay {this}")), err=as_json)
        click.echo(f"smaller: python -m runtime.testing shrink {this}", err=as_json)
    options.write(proof, batch)
    ctx.exit(ending.exit_code(1 if batch.failed or batch.missing else 0))


def _run(seeds: Sequence[int], name: str, *, calm: bool, jobs: int, ending: Ending) -> RunBatch:
    expected = () if calm else expected_by(workload_named(name))
    batch = RunBatch(SystemClock(), expected=expected, workload=name, calm=calm)
    with options.progress() as progress:
        bar = progress.add_task("seeds", total=len(seeds))
        for _, result in spread(partial(_seed, calm), name, seeds, jobs=jobs, ending=ending):
            batch.add(result)
            progress.update(bar, advance=1, description=f"seeds, {batch.failures} failed, {batch.seeds_per_s:.1f}/s")
    return batch


def _seed(calm: bool, workload: Workload, seed: int) -> RunResult:
    return simulate_seed(seed, workload, calm=calm)


def _listed(path: Path) -> list[int]:
    """The seeds in a file: the first word of each line. What follows a # is a comment."""
    lines = [line.partition("#")[0].split() for line in path.read_text(encoding="utf-8").splitlines()]
    try:
        return [int(words[0]) for words in lines if words]
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--list") from error
