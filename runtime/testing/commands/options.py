"""What the commands share: options, and a bar that shows how far they are."""

from __future__ import annotations

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["as_json", "calm", "jobs", "progress", "workload"]

workload = click.option(
    "--workload",
    "name",
    default="orders",
    show_default=True,
    metavar="[MODULE:]NAME",
    help="orders, random, or what makes a workload of your own when it is called.",
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
