"""`amends demo`: the project's demo, on a store that is made for it.

amends demo --store postgresql ─▶ throwaway_store ─URL─▶ demo of [tool.amends] ─▶ an exit code
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import click

from runtime.errors import AmendsError
from runtime.object_reference import find_object
from runtime.project import FILE, TABLE, read_project
from runtime.testing.processes.throwaway import THROWAWAY_STORES, throwaway_store

__all__ = ["demo"]

_EXAMPLE = "shop.demo:demo"
Demo = Callable[[str], Awaitable[int]]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--store",
    type=click.Choice(THROWAWAY_STORES),
    default="sqlite",
    show_default=True,
    help="What the nodes keep their state in: a file, or a PostgreSQL server. It is made for the demo and thrown away.",
)
def demo(store: str) -> None:
    """Run the project's demo, on a store that is thrown away after it.

    The demo is the coroutine function that [tool.amends] names; it gets the store's URL and gives the exit code.
    Exit codes: 0 all well, 1 what the demo found wrong, 2 bad input, or this machine lacks what the store needs.
    """
    try:
        code = asyncio.run(_perform(_demo_of(Path.cwd()), store))
    except AmendsError as error:
        raise click.UsageError(str(error)) from error
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _demo_of(folder: Path) -> Demo:
    project = read_project(folder)
    if not project.demo:
        raise click.UsageError(f'this project has no demo: name one in {FILE}, under [{TABLE}], demo = "{_EXAMPLE}"')
    found: Demo = find_object(project.demo, "demo", example=_EXAMPLE)
    return found


async def _perform(perform: Demo, store: str) -> int:
    async with throwaway_store(store, say=lambda what: click.echo(f"• {what}")) as url:
        return await perform(url)
