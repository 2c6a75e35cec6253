"""`amends draw`: the processes of a project as Mermaid text, drawn from what they are declared to be."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.cli.hosting import find_hosting
from runtime.errors import AmendsError
from runtime.project import FILE, TABLE
from runtime.saga.catalogue import Catalogue
from runtime.saga.diagram import draw_saga
from runtime.saga.flowchart import draw_choreography

__all__ = ["draw"]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--catalogue",
    metavar="MODULE:NAME",
    help=f"A Catalogue, or a function that gives one.  [default: catalogue of [{TABLE}] in {FILE}]",
)
def draw(names: tuple[str, ...], catalogue: str | None) -> None:
    """Draw the sagas and choreographies called NAME, or all of them, as Mermaid text. Nothing runs.

    Exit codes: 0 done, 2 bad input.
    """
    try:
        drawn = _drawings(find_hosting(Path.cwd(), catalogue, or_else="name one with --catalogue").catalogue)
    except AmendsError as error:
        raise click.UsageError(str(error)) from error
    unknown = [name for name in names if name not in drawn]
    if unknown:
        there_are = ", ".join(drawn) or "none"
        raise click.UsageError(f"there is no process {', '.join(map(repr, unknown))}; there are {there_are}")
    click.echo("\n".join(drawn[name] for name in names or drawn), nl=False)


def _drawings(catalogue: Catalogue) -> dict[str, str]:
    """The drawing of each process, by its name."""
    drawn = {saga.name: draw_saga(saga) for saga in catalogue.sagas}
    return drawn | {one.name: draw_choreography(one, catalogue.handler_of) for one in catalogue.choreographies}
