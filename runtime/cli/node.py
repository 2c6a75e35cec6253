"""`amends node`: what `python node.py` does, for the catalogue that the project names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click

from runtime.cli.hosting import find_hosting
from runtime.launching import launch_found
from runtime.project import FILE, TABLE

__all__ = ["launch_here"]


def launch_here(arguments: Sequence[str]) -> NoReturn:
    """Run a node of the project in the current folder. Exits the process, with the codes of a node."""
    launch_found(
        lambda name: find_hosting(Path.cwd(), name),
        about="the given services of the project's catalogue, or all of them",
        option=click.Option(
            ["--catalogue"],
            metavar="MODULE:NAME",
            help=f"A Catalogue, or a function that gives one.  [default: catalogue of [{TABLE}] in {FILE}]",
        ),
        arguments=arguments,
        program="amends node",
    )
