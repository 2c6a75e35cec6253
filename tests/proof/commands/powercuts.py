"""`powercuts`: the real store on a disk whose power fails, and whether everything promised is still there."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import click

from runtime.adapters import SystemClock
from runtime.testing.commands import options
from runtime.testing.commands.ending import EndedBySignal, Ending
from runtime.testing.commands.loading import workload_named
from runtime.testing.runs.workload import Workload
from tests.proof.power.cuts import Failure, PowerCuts, cut_power, story
from tests.proof.power.result import CutResult

__all__ = ["powercuts"]


@click.command()
@click.argument("cuts", type=click.IntRange(1), metavar="N")
@click.option(
    "--from", "first", type=click.IntRange(0), default=0, show_default=True, metavar="SEED", help="The first."
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Folder for what failing cuts left of the store.  [default: amends-power in the temporary folder]",
)
@options.workload
@options.as_json
@click.pass_context
def powercuts(ctx: click.Context, cuts: int, first: int, keep: Path | None, name: str, as_json: bool) -> None:
    """Cut the power of a loaded node N times, and boot it on what is left.

    The node is the real one on the real SQLite store. Only the disk is a model, which loses and tears what was not
    flushed. Each seed has a store of its own, over a series of lives. A promise that is not kept counts as lost: an
    answered commit, an acknowledged order. Everything else that no power cut excuses counts as corrupt.
    """
    with Ending() as ending:
        total = _run(cuts, first, keep, workload_named(name), ending)
    ending.say(total.cuts, cuts, "power cuts")
    if as_json:
        click.echo(json.dumps(total.as_object()))
    else:
        click.echo("\n".join(total.lines()))
    if total.failed:
        click.echo("\n".join(_told(total.failed[0], name)), err=as_json)
    ctx.exit(ending.exit_code(1 if total.failed else 0))


def _run(cuts: int, first: int, keep: Path | None, workload: Workload, ending: Ending) -> PowerCuts:
    total = PowerCuts(SystemClock())
    with options.progress() as progress:
        bar = progress.add_task("power cuts", total=cuts)

        def told(result: CutResult) -> None:
            text = f"power cuts, {total.lost} lost, {total.corrupt} corrupt"
            progress.update(bar, completed=total.cuts, description=text)
            ending.check()

        with suppress(EndedBySignal):
            cut_power(cuts, workload, total, first=first, keep=keep, told=told)
    return total


def _told(failure: Failure, name: str) -> list[str]:
    result = failure.result
    lines = ["", *story(result)]
    if failure.image is not None:
        lines.append(f"what the power cut left is kept in {failure.image}")
    again = f"python -m tests.proof powercuts {result.cuts} --from {result.seed} --workload {name}"
    return [*lines, f"about the same again: {again}"]
