"""`machines`: real nodes on a real PostgreSQL, and as many rounds of each misfortune as wanted."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import click

from runtime.testing.processes.postgresql.server import PostgresServer
from tests.acceptance.machines import Machines, open_machines
from tests.acceptance.trials import cut_off_rounds, restart_rounds, swallow_rounds, terminate_rounds, zombie_rounds

__all__ = ["machines"]

_NONE = click.IntRange(0)


@click.command()
@click.option("--zombies", type=_NONE, default=0, metavar="N", help="A node is frozen past its lease, and wakes up.")
@click.option("--cuts", type=_NONE, default=0, metavar="N", help="A node loses the store, and gets it back.")
@click.option("--restarts", type=_NONE, default=0, metavar="N", help="The server stops or dies, and comes back.")
@click.option("--sessions", type=_NONE, default=0, metavar="N", help="All sessions of the nodes are ended.")
@click.option("--lost-answers", type=_NONE, default=0, metavar="N", help="Commits of which nodes are not told.")
def machines(zombies: int, cuts: int, restarts: int, sessions: int, lost_answers: int) -> None:
    """Break what lies between two real nodes and a real PostgreSQL, with orders under way.

    At the end every order that was acknowledged must have ended, and money and goods must add up. Exit codes: 0 all
    adds up, 1 something does not.
    """
    wanted = {"zombies": zombies, "cuts": cuts, "restarts": restarts, "sessions": sessions, "answers": lost_answers}
    if not any(wanted.values()):
        raise click.UsageError("say how many rounds of what, such as --zombies 10")
    try:
        asyncio.run(_perform(wanted))
    except AssertionError as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        raise click.ClickException(f"{error}\n{notes}") from error


async def _perform(wanted: dict[str, int]) -> None:
    with tempfile.TemporaryDirectory(prefix="amends-machines-") as folder:
        async with PostgresServer(say=click.echo) as server, open_machines(Path(folder), server) as opened:
            for what, count in wanted.items():
                if count:
                    click.echo(await _rounds(opened, what, count))
            await opened.all_ends_well()
            click.echo(f"{len(opened.placed)} orders were acknowledged: all have ended, and the books add up")


async def _rounds(machines: Machines, what: str, count: int) -> str:
    """Does the rounds, and tells of them."""
    rounds = {
        "zombies": zombie_rounds,
        "cuts": cut_off_rounds,
        "restarts": restart_rounds,
        "sessions": terminate_rounds,
    }
    if what == "answers":
        found = await swallow_rounds(machines, count)
        return f"{found} commits whose outcome was unknown, all of them settled"
    await rounds[what](machines, count)
    return f"{count} rounds of {what}"
