"""Prints what a listing has found: as JSON, or as tables for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import click
from rich.console import Console, RenderableType

from runtime.observe.console import say_json

__all__ = ["show"]

_WIDTH = 180  # of tables that go into a file or a pipe


def show(
    as_json: bool, value: Sequence[object] | Mapping[str, object], view: RenderableType, nothing: str = ""
) -> None:
    """Print as JSON, or for people; `nothing` is what to say of an empty listing."""
    if as_json:
        say_json(value, indent=2)
    elif not value:
        click.echo(nothing)
    else:
        Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False).print(view)
