"""`timers` lists what fires when, page by page, across all actors."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict

import click

from runtime.admin import tables
from runtime.admin.arguments import as_json_option, check_known, limit_option
from runtime.admin.session import Session
from runtime.admin.showing import show
from runtime.admin.timer_options import INSTANT
from runtime.operate.timers import TimersWanted, timer_place_of, timers

__all__ = ["list_timers"]


@click.command("timers")
@click.option("--kind", default="", help="Only those of actors of this kind.")
@click.option("--key", default="", metavar="PREFIX", help="Only those of actors whose key begins like this.")
@click.option(
    "--before",
    "before_s",
    type=INSTANT,
    default=math.inf,
    metavar="INSTANT",
    help="Only those due by then, e.g. 2027-01-31T18:00Z.",
)
@click.option("--after", default="", metavar="PLACE", help="Go on from the end of the page before, which names it.")
@limit_option
@as_json_option
@click.pass_obj
def list_timers(
    session: Session, /, kind: str, key: str, before_s: float, after: str, limit: int, as_json: bool
) -> None:
    """Timers, the next due first: whose they are, and what each is for. Those of one actor stand together.

    `repair move-timer` has one fire at another instant, and `repair cancel-timer` not at all.
    """
    wanted = TimersWanted(kind=kind, key=key, before_s=before_s)
    page = session.run(lambda store: timers(store, wanted, limit=limit, after=timer_place_of(after) if after else None))
    found = [entry for entry, _ in page.entries]
    show(as_json, [asdict(one) for one in found], tables.timers_table(found, session.now_s()), "no timer")
    if not found and not after:
        check_known(session, kind, "the kind", lambda view: view.kinds)
    if page.next is not None:
        place = shlex.quote(page.next.text)
        click.echo(f"warning: more fit, beyond --limit; the next page: --after {place}", err=True)
