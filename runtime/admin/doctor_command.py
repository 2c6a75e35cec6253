"""`doctor` examines the store: what it finds wrong stands beside its cure."""

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
from runtime.store.finding import StoreFinding
from runtime.store.open import examine_store

__all__ = ["doctor"]


@click.command()
@as_json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Examine the store: settings, clock, log, what holds back its clean-up, and mail that waits for long.

    Ends with 1 if something is wrong; beside it stands the cure.
    """
    session = ctx.ensure_object(Session)
    found = session.do(lambda: examine_store(session.url, session.ports))
    show(as_json, [asdict(one) for one in found], _table(found))
    ctx.exit(1 if any(one.cure for one in found) else 0)


def _table(findings: Iterable[StoreFinding]) -> Table:
    table = Table("check", "found", "cure", box=box.SIMPLE_HEAD)
    for one in findings:
        table.add_row(one.check, printable(one.found), printable(one.cure), style="bold" if one.cure else "")
    return table
