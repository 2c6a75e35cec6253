"""What the commands share: options, and a progress bar."""

from __future__ import annotations

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.testing.commands import workloads

__all__ = ["as_json", "calm", "jobs", "progress", "refuse_beside", "workload"]

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


def progress() -> Progress:
    """A progress bar on standard error, so that standard output has the results alone."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def refuse_beside(ctx: click.Context, option: str, *others: str) -> None:
    """Raises UsageError if one of the others was given too: beside the option it would have no effect."""
    for param in ctx.command.params:
        if param.name in others and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[0]} has no effect beside {option}; leave one of them out")
