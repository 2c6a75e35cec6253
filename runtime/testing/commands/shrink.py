"""`shrink`: makes the run of a failing seed small, and writes it to a tape."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runtime.testing.commands import options
from runtime.testing.commands.ending import Ending
from runtime.testing.commands.loading import workload_named
from runtime.testing.runs import shrink as shrinking
from runtime.testing.runs.story import as_object, story

__all__ = ["shrink"]


@click.command()
@click.argument("seed", type=click.IntRange(0))
@click.option("--runs", type=click.IntRange(1), default=500, show_default=True, help="Try at most so many runs.")
@click.option(
    "--tape",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the small run here, for `replay --tape`.  [default: SEED.tape]",
)
@options.workload
@options.calm
@options.as_json
@click.pass_context
def shrink(ctx: click.Context, seed: int, runs: int, path: Path | None, name: str, calm: bool, as_json: bool) -> None:
    """Make a failing seed small: fewer faults, clients and odd choices break the same promise."""
    workload = workload_named(name)
    result, tape = shrinking.record(seed, workload, name, calm=calm)
    if not result.violations:
        raise click.UsageError(f"seed {seed} of {name} keeps every promise: there is nothing to shrink")
    with Ending() as ending, options.progress() as progress:
        bar = progress.add_task("tries", total=runs)

        def tried(done: int, left: int) -> None:
            progress.update(bar, completed=done, description=f"tries, {left:,} decisions left")

        small = shrinking.shrink(tape, workload, runs_max=runs, calm=calm, tried=tried, ended=lambda: ending.signal)
    ending.say(small.runs, runs, "tries")
    path = path or Path(f"{seed}.tape")
    small.tape.write(path)
    if as_json:
        told = {"before": small.before, "after": small.after, "runs": small.runs, "tape": str(path)}
        click.echo(json.dumps({**as_object(small.result), **told}))
    else:
        click.echo("\n".join(story(small.result, again=f"replay --tape {path}{' --calm' if calm else ''}")))
        click.echo(f"{small.before:,} decisions became {small.after:,} in {small.runs} runs")
    ctx.exit(ending.exit_code(1))
