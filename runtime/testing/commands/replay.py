"""`replay`: runs one seed, or one tape, again, the same in every step."""

from __future__ import annotations

import json
from pathlib import Path

import click

from runtime.testing.commands import options
from runtime.testing.commands.loading import workload_named
from runtime.testing.runs import shrink as shrinking
from runtime.testing.runs.run import RunResult
from runtime.testing.runs.story import as_object, story
from runtime.testing.virtual.tape import BadTape, Tape

__all__ = ["replay"]

_A_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("seed", type=click.IntRange(0), required=False)
@click.option("--tape", "path", type=_A_FILE, help="Play a tape that `shrink` or `--record` wrote, instead of a seed.")
@click.option("--record", "kept", type=_A_FILE, help="Write the decisions of this run to a tape.")
@options.workload
@options.calm
@options.as_json
@click.pass_context
def replay(
    ctx: click.Context, seed: int | None, path: Path | None, kept: Path | None, name: str, calm: bool, as_json: bool
) -> None:
    """Run one SEED again, and tell how it went."""
    if (seed is None) == (path is None):
        raise click.UsageError("name a seed, or a tape with --tape; one of them")
    if path is not None:
        options.refuse_beside(ctx, "--tape, which names its workload", "name", "kept")
    result = _played(path, calm=calm) if path is not None else _recorded(seed or 0, name, kept, calm=calm)
    if as_json:
        click.echo(json.dumps(as_object(result)))
    else:
        click.echo("\n".join(story(result)))
    ctx.exit(1 if result.violations else 0)


def _recorded(seed: int, name: str, kept: Path | None, *, calm: bool) -> RunResult:
    result, tape = shrinking.record(seed, workload_named(name), name, calm=calm)
    if kept is not None:
        tape.write(kept)
    return result


def _played(path: Path, *, calm: bool) -> RunResult:
    try:
        tape = Tape.read(path)
    except (BadTape, OSError) as error:
        raise click.BadParameter(str(error), param_hint="--tape") from error
    return shrinking.play(tape, workload_named(tape.workload), calm=calm)
