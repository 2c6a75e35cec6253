"""`explore`: tries every schedule of one saga within bounds, and shows the shortest that break a promise."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from runtime.errors import InvalidMessage
from runtime.saga.saga import Saga
from runtime.testing.commands import options
from runtime.testing.commands.ending import Ending
from runtime.testing.commands.loading import find
from runtime.testing.explorer import explore as explorer
from runtime.testing.explorer.bounds import Bounds
from runtime.testing.explorer.result import Exploration

__all__ = ["explore"]

_HINT = "MODULE:SAGA"
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
@click.argument("saga", metavar=_HINT)
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
@options.as_json
@click.pass_context
def explore(ctx: click.Context, /, saga: str, mermaid: bool, as_json: bool, **bounds: int) -> None:
    """Try every schedule of one saga, and show the shortest that break a promise.

    The argument names a class in a module, as in examples.trip.saga:BookTrip. The saga's participants may carry out,
    refuse, fault, stay silent, or answer late, twice and in any order. A client may cancel, and the deadline may pass.
    Each option but --asks and --states limits how much of that happens in one schedule.
    """
    with Ending() as ending:
        found = _run(_saga_named(saga), Bounds(**bounds), ending)
    click.echo("\n".join(found.lines()), err=as_json)
    for one in found.violations[:_SHOWN_MAX]:
        shown = one.mermaid() if mermaid else one.text()
        click.echo(f"\n{shown}", err=as_json)
    if as_json:
        click.echo(json.dumps(found.as_object()))
    ctx.exit(ending.exit_code(1 if found.violations else 0))


def _run(saga: type[Saga[Any]], bounds: Bounds, ending: Ending) -> Exploration:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("states", total=None)

        def tell(states: int, depth: int) -> None:
            progress.update(bar, description=f"{states:,} states, {depth} moves deep")

        try:
            return explorer.explore(saga, bounds=bounds, progress=tell, ended_by=lambda: ending.name)
        except InvalidMessage as error:
            raise _wrong(str(error)) from error


def _saga_named(name: str) -> type[Saga[Any]]:
    """The saga that MODULE:SAGA names. Raises BadParameter, which says what to write instead."""
    found = find(name, "saga", _HINT, example="examples.trip.saga:BookTrip")
    if not (isinstance(found, type) and issubclass(found, Saga) and found is not Saga):
        raise _wrong(f"{name} is no saga: it is {_described(found)}; name a class that derives from Saga")
    return found


def _wrong(what: str) -> click.BadParameter:
    return click.BadParameter(what, param_hint=_HINT)


def _described(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
