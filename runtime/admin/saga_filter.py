"""The options that say which sagas are meant: of the list of sagas, and of an act on many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from runtime.admin.arguments import SECONDS
from runtime.operate.survey import STATUSES

__all__ = ["SAGA_FILTER", "saga_filter"]

_C = TypeVar("_C", bound=Callable[..., Any])

SAGA_FILTER = "--status, --kind, --key, --step, --error, --idle, --age, --owing, --unknown or --letters"


def saga_filter(command: _C) -> _C:
    """They come as the fields of `Wanted`."""
    seconds: dict[str, Any] = {"type": SECONDS, "default": 0.0, "metavar": "SECONDS"}
    options: tuple[Callable[[_C], _C], ...] = (
        click.option(
            "--status",
            "statuses",
            type=click.Choice(STATUSES),
            multiple=True,
            help="Only those in this status; several times: in one of them.",
        ),
        click.option("--kind", default="", help="Only those of this kind."),
        click.option("--key", default="", metavar="PREFIX", help="Only those whose key begins like this."),
        click.option("--step", default="", metavar="NAME", help="Only those of which this step is under way."),
        click.option("--error", default="", metavar="TEXT", help="Only those whose reason has this in it."),
        click.option("--idle", "idle_s", **seconds, help="Only without progress for so long."),
        click.option("--age", "age_s", **seconds, help="Only begun so long ago."),
        click.option("--owing", "owes", is_flag=True, help="Only those that owe an undo."),
        click.option("--unknown", "is_unknown", is_flag=True, help="Only with a step whose outcome nobody knows."),
        click.option("--letters", "has_dead_letters", is_flag=True, help="Only those with dead letters of their own."),
    )
    for option in reversed(options):
        command = option(command)
    return command
