"""What the commands share: options, a progress bar, and the file of proofs."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.errors import AmendsError
from runtime.observe.console import UNWRITTEN
from runtime.testing.commands import workloads
from runtime.testing.proofs import Proving, write_proofs

__all__ = ["as_json", "calm", "jobs", "progress", "proof", "refuse_beside", "workload", "write"]

workload = click.option(
    "--workload",
    "name",
    default=workloads.first,
    show_default="the project's first",
    metavar="[MODULE:]NAME",
    help="A name in [tool.amends.workloads] of pyproject.toml, or MODULE:CLIENTS@MODULE:CATALOGUE, or the "
    "MODULE:NAME of a function that makes a workload.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="End with one JSON object on a line of its own.")
jobs = click.option(
    "--jobs",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="So many processes share the runs.",
)
calm = click.option("--calm", is_flag=True, help="Run without any faults, as a control.")

proof = click.option(
    "--proof",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    callback=lambda ctx, param, path: _in_a_folder(path),
    metavar="FILE",
    help="Write what was proven, or broken, into this file, for `amends admin proofs add`.",
)


def write(path: Path | None, *results: Proving) -> None:
    """Writes the file of `--proof`, if it was asked for. Call it last: it ends the command if that fails."""
    if path is not None:
        try:
            write_proofs(path, *results)
        except AmendsError as error:
            raise _Unwritten(str(error)) from error


class _Unwritten(click.ClickException):
    exit_code = UNWRITTEN


def _in_a_folder(path: Path | None) -> Path | None:
    """Looked at before a long run, and not after it."""
    if path is not None and not path.parent.is_dir():
        raise click.BadParameter(f"the folder {path.parent} is not there; make it first")
    return path


def progress() -> Progress:
    """A progress bar on standard error, so that standard output has the results alone."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def refuse_beside(ctx: click.Context, option: str, *others: str) -> None:
    """Raises UsageError if one of the others was given too: beside the option it would have no effect."""
    for param in ctx.command.params:
        if param.name in others and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[0]} has no effect beside {option}; leave one of them out")
