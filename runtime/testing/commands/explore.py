"""`explore`: tries every schedule of sagas within bounds, and shows the shortest that break a promise."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from runtime.errors import InvalidDefinition, InvalidMessage
from runtime.saga.saga import Saga
from runtime.testing.commands import options
from runtime.testing.commands.ending import Ending
from runtime.testing.commands.sagas import HINT, sagas_named, wrong
from runtime.testing.explorer import explore as explorer
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.result import Exploration

__all__ = ["explore"]

_SHOWN_MAX = 5  # So many diagrams are shown; --json has all of them.


def _bound(name: str, help: str, *, least: int = 0) -> Callable[[Any], Any]:
    default = getattr(Bounds(), f"{name}_max")
    return click.option(
        f"--{name}",
        f"{name}_max",
        type=click.IntRange(least),
        default=default,
        show_default=True,
        metavar="N",
        help=help,
    )


@click.command()
@click.argument("sagas", nargs=-1, metavar=f"[{HINT}]...")
@_bound("faults", "Commands that their participant gives up on, whether it carried them out or not.")
@_bound("silences", "Timers that fire before an answer that still comes.")
@_bound("duplicates", "Answers that come twice.")
@_bound("cancels", "Cancellations by a client.")
@_bound("poisons", "Steps whose command, or whose undo, faults each time.")
@_bound("replays", "Dead letters that are handled after the saga got stuck.")
@_bound("workings", "Answers that say: not finished yet.")
@_bound("asks", "Every budget of the saga is cut to so many asks.", least=1)
@_bound("states", "Stop after so many states; each takes about 1 KB of memory.", least=1)
@click.option("--mermaid", is_flag=True, help="Show schedules as Mermaid instead of text.")
@options.proof
@options.as_json
@click.pass_context
def explore(
    ctx: click.Context, /, sagas: tuple[str, ...], mermaid: bool, proof: Path | None, as_json: bool, **bounds: int
) -> None:
    """Try every schedule of each saga, and show the shortest that break a promise.

    An argument names a class in a module, as in examples.trip.saga:BookTrip, or a catalogue, as in
    examples.trip.catalogue:catalogue. Without one, these are all sagas of the catalogue that the project names in its
    pyproject.toml. A saga's participants may carry out, refuse, fault, stay silent, or answer late, twice and in any
    order. A client may cancel, and the deadline may pass. Each option but --asks and --states limits how much of that
    happens in one schedule. With --json, each saga ends with one object on a line of its own.
    """
    named, all_found = sagas_named(sagas), list[Exploration]()
    with Ending() as ending:
        for saga in named:
            found = _run(saga, Bounds(**bounds), ending)
            _show(found, mermaid=mermaid, as_json=as_json)
            all_found.append(found)
            if ending.name:
                break
    options.write(proof, *all_found)
    ctx.exit(ending.exit_code(1 if any(one.violations for one in all_found) else 0))


def _show(found: Exploration, *, mermaid: bool, as_json: bool) -> None:
    click.echo("\n".join(found.lines()), err=as_json)
    for one in found.violations[:_SHOWN_MAX]:
        shown = one.mermaid() if mermaid else one.text()
        click.echo(f"\n{shown}", err=as_json)
    if as_json:
        click.echo(json.dumps(found.as_object()))


def _run(saga: type[Saga[Any]], bounds: Bounds, ending: Ending) -> Exploration:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task(saga.__name__, total=None)

        def tell(states: int, depth: int) -> None:
            progress.update(bar, description=f"{saga.__name__}: {states:,} states, {depth} moves deep")

        try:
            return explorer.explore(saga, bounds=bounds, progress=tell, ended_by=lambda: ending.name)
        except (InvalidDefinition, InvalidMessage) as error:
            raise wrong(f"{saga.__name__}: {error}") from error
