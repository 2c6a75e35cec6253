"""The same order process on Amends, DBOS, Restate and Temporal, from their public packages.

    python -m bench.peers dbos --orders 500 --concurrency 64 [--json]
    python -m bench.peers all --rounds 3

What a system needs is installed into .peers/ of the checkout the first time, by pinned versions. `all` runs them in
turn, another one first in each round, and prints a table with ratios to Amends. See bench/README.md.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import click

from bench.peers.amends_system import AmendsOnPostgresql, AmendsSystem
from bench.peers.dbos_system import DbosStepsSystem, DbosSystem
from bench.peers.environment import PeerMissing
from bench.peers.flushes import count_flushes
from bench.peers.measure import PeerFigures, PeerPlan, measure
from bench.peers.restate_system import LocalRestateSystem, RestateSystem
from bench.peers.system import DurableSystem
from bench.peers.table import comparison, flush_lines, lines_of
from bench.peers.temporal_system import LocalTemporalSystem, TemporalSystem

__all__ = ["in_turn", "main"]

SYSTEMS: Mapping[str, Callable[[str], DurableSystem]] = {
    "amends": AmendsSystem,
    "amends-postgresql": AmendsOnPostgresql,
    "dbos": DbosSystem,
    "dbos-steps": DbosStepsSystem,
    "restate": RestateSystem,
    "restate-local": LocalRestateSystem,
    "temporal": TemporalSystem,
    "temporal-local": LocalTemporalSystem,
}
_WITH_SERVERS = ("restate", "restate-local", "temporal", "temporal-local")


@click.command(help=__doc__)
@click.argument("system", type=click.Choice([*SYSTEMS, "all"]))
@click.option("--orders", type=click.IntRange(1, 100_000), default=500, show_default=True)
@click.option("--concurrency", type=click.IntRange(1, 1024), default=64, show_default=True)
@click.option("--singles", type=click.IntRange(1, 10_000), default=100, show_default=True, help="One at a time.")
@click.option(
    "--killed",
    type=click.IntRange(0, 10_000),
    default=300,
    show_default=True,
    help="Orders submitted while everything is killed; 0: nothing is.",
)
@click.option("--skus", type=click.IntRange(1), default=1, show_default=True, help="1: one row has all the stock.")
@click.option(
    "--seconds-max",
    type=click.FloatRange(1.0, 3600.0),
    default=60.0,
    show_default=True,
    help="Place no more orders after so long.",
)
@click.option("--rounds", type=click.IntRange(1, 50), default=1, show_default=True, help="Runs of each.")
@click.option(
    "--server", default="", metavar="PROGRAM", help="Run this temporal or restate-server, not that installed."
)
@click.option("--flushes", is_flag=True, help="Count flushes of the disk for an order, by strace, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(system: str, rounds: int, server: str, flushes: bool, as_json: bool, **numbers: Any) -> None:
    if server and system not in _WITH_SERVERS:
        raise click.UsageError(f"--server is for {', '.join(_WITH_SERVERS)}; {system} has no program to choose")
    names = list(SYSTEMS) if system == "all" else [system]
    try:
        if flushes:
            told = {name: asyncio.run(count_flushes(SYSTEMS[name](server))) for name in names}
            click.echo(json.dumps({"flushes_per_order": told}) if as_json else "\n".join(flush_lines(told)))
            return
        plan = PeerPlan(**numbers)
        done = [_round(in_turn(names, number), server, plan, as_json) for number in range(rounds)]
    except PeerMissing as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        each_round = [{name: asdict(figures) for name, figures in each.items()} for each in done]
        click.echo(json.dumps({"plan": asdict(plan), "rounds": each_round}))
    elif rounds > 1 or system == "all":
        click.echo("\n".join(comparison([{name: each[name] for name in names} for each in done])))


def _round(names: list[str], server: str, plan: PeerPlan, is_quiet: bool) -> dict[str, PeerFigures]:
    found: dict[str, PeerFigures] = {}
    for name in names:
        found[name] = asyncio.run(measure(SYSTEMS[name](server), plan))
        if not is_quiet:
            click.echo("\n".join(lines_of(found[name])))
    return found


def in_turn(names: list[str], number: int) -> list[str]:
    """Another one goes first in each round."""
    first = number % len(names)
    return names[first:] + names[:first]


if __name__ == "__main__":
    main()
