"""What the commands share: options, and a bar that shows how far they are."""

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
    help="A name in [tool.amends.workloads] of pyproject.toml; or MODULE:CLIENTS@MODULE:CATALOGUE, or what makes a "
    "workload when it is called.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="End with one JSON object on a line of its own.")
jobs = click.option(
    "--jobs", type=click.IntRange(1), default=1, show_default=True, help="Processes that share the runs; a core each."
)
calm = click.option("--calm", is_flag=True, help="Without faults: the control.")


def progress() -> Progress:
    """A bar on standard error, so that standard output stays for what was found."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))


def refuse_beside(ctx: click.Context, option: str, *others: str) -> None:
    """Raises UsageError when one of these parameters was given too, which would have no effect beside the option."""
    for param in ctx.command.params:
        if param.name in others and ctx.get_parameter_source(param.name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{param.opts[0]} has no effect beside {option}; leave one of them out")
