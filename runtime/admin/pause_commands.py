"""`pauses` lists participants that keep failing, and the sagas that wait for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

import click
from rich import box
from rich.table import Table

from runtime.admin.arguments import as_json_option
from runtime.admin.session import Session
from runtime.admin.showing import show
from runtime.admin.tables import printable
from runtime.operate.paused import PauseEntry, paused
from runtime.operate.spans import span

__all__ = ["pauses"]


@click.command("pauses")
@as_json_option
@click.pass_obj
def pauses(session: Session, as_json: bool) -> None:
    """Participants that keep failing, on which node, since when, and whose new sagas wait until they answer."""
    found = session.run(paused)
    rows = [{**asdict(one), "sagas": list(one.sagas)} for one in found]
    show(as_json, rows, _table(found, session.now_s()), "nothing is paused")


def _table(entries: Iterable[PauseEntry], now_s: float) -> Table:
    table = Table("participant", "new sagas that wait", "node", "since", "last error", box=box.SIMPLE_HEAD)
    for one in entries:
        table.add_row(
            printable(one.participant),
            printable(", ".join(one.sagas)),
            printable(one.node),
            f"{span(now_s - one.since_s)} ago",
            printable(one.error),
        )
    return table
