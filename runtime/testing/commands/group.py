"""The simulator's command line. Exit codes: 0 all promises kept, 1 one was broken, 2 bad input."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.adapters import SystemClock
from runtime.testing.simulation.batch import Batch
from runtime.testing.simulation.run import Result, simulate_seed
from runtime.testing.simulation.workload import Workload

__all__ = ["main", "simulator"]

_HOME = "actors.workload"  # where a workload is looked up whose module is not named

_workload = click.option(
    "--workload",
    "name",
    default=f"{_HOME}:orders",
    show_default=True,
    metavar="[MODULE:]NAME",
    help=f"What makes a workload when it is called; without a module, one of {_HOME}.",
)
_as_json = click.option("--json", "as_json", is_flag=True, help="End with one JSON object on a line of its own.")
_calm = click.option("--calm", is_flag=True, help="Without faults: the control.")


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all promises kept, 1 one was broken, 2 bad input.",
)
def simulator() -> None:
    """Run whole clusters in simulation, under faults drawn from a seed."""


@simulator.command()
@click.option("--seeds", type=click.IntRange(1), default=100, show_default=True, help="How many.")
@click.option(
    "--from", "first", type=click.IntRange(0), default=0, show_default=True, metavar="SEED", help="The first."
)
@click.option(
    "--list", "seed_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Seeds, a line each."
)
@_workload
@_calm
@_as_json
@click.pass_context
def simulate(
    ctx: click.Context, seeds: int, first: int, seed_file: Path | None, name: str, calm: bool, as_json: bool
) -> None:
    """Run many seeds, and show the first that breaks a promise."""
    chosen = range(first, first + seeds) if seed_file is None else _listed(seed_file)
    batch = _run(chosen, _load(name), calm=calm)
    if as_json:
        click.echo(json.dumps(batch.as_object()))
    else:
        click.echo("\n".join(batch.lines()))
    if batch.failed:
        failed = batch.failed[0]
        click.echo("\n".join(_story(failed, again=f"replay {failed.seed} --workload {name}")), err=as_json)
        ctx.exit(1)


@simulator.command()
@click.argument("seed", type=click.IntRange(0))
@_workload
@_calm
@_as_json
@click.pass_context
def replay(ctx: click.Context, seed: int, name: str, calm: bool, as_json: bool) -> None:
    """Run one seed again, and tell how it went."""
    result = simulate_seed(seed, _load(name)(), calm=calm)
    if as_json:
        click.echo(json.dumps(_as_object(result)))
    else:
        click.echo("\n".join(_story(result)))
    ctx.exit(1 if result.violations else 0)


def main() -> None:
    simulator(prog_name="python -m runtime.testing")


def _run(seeds: Iterable[int], make: Callable[[], Workload], *, calm: bool) -> Batch:
    workload = make()
    batch = Batch(SystemClock())
    seeds = list(seeds)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("seeds", total=len(seeds))
        for seed in seeds:
            batch.add(simulate_seed(seed, workload, calm=calm))
            progress.update(bar, advance=1, description=f"seeds, {batch.failures} failed, {batch.seeds_per_s:.1f}/s")
    return batch


def _listed(path: Path) -> list[int]:
    """Seeds of a file: the first word of each line, but for comments."""
    lines = [line.partition("#")[0].split() for line in path.read_text(encoding="utf-8").splitlines()]
    try:
        return [int(words[0]) for words in lines if words]
    except ValueError as error:
        raise click.BadParameter(f"{path}: {error}", param_hint="--list") from error


def _load(name: str) -> Callable[[], Workload]:
    """The name comes from the command line, and is never read from data."""
    module_name, _, attribute = name.rpartition(":")
    try:
        module = importlib.import_module(module_name or _HOME)
    except ImportError as error:
        raise click.BadParameter(f"{name}: {error}", param_hint="--workload") from error
    made: Callable[[], Workload] | None = getattr(module, attribute, None)
    if not callable(made):
        known = ", ".join(one for one in getattr(module, "__all__", ()) if one.islower())
        raise click.BadParameter(
            f"{module.__name__} has no workload {attribute!r}; it has {known}", param_hint="--workload"
        )
    return made


def _story(result: Result, again: str = "") -> Iterable[str]:
    yield ""
    yield (
        f"seed {result.seed}: {len(result.violations)} promises broken" if result.violations else f"seed {result.seed}"
    )
    yield f"trace {result.trace}, {result.steps:,} steps, {result.took_s:.1f} s simulated"
    yield "before the end:"
    yield from (f"  {event}" for event in result.last)
    for conversation, text in list(result.conversations.items())[:3]:
        yield f"conversation {conversation.hex()}:"
        yield from (f"  {line}" for line in text.splitlines())
    for one in result.violations[:20]:
        yield f"{one.invariant}: {one.what}"
    if again:
        yield f"again: python -m runtime.testing {again}"


def _as_object(result: Result) -> dict[str, object]:
    return {
        "seed": result.seed,
        "trace": result.trace,
        "steps": result.steps,
        "simulated_s": round(result.took_s, 3),
        "violations": [{"invariant": one.invariant, "what": one.what} for one in result.violations],
        "faults": dict(sorted(result.faults.items())),
        "figures": dict(sorted(result.figures.items())),
    }
