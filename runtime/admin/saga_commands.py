"""`sagas` lists instances page by page; `retry-saga` has a stuck one try again what it could not do."""

from __future__ import annotations

import getpass
import shlex
from dataclasses import asdict
from typing import Any

import click

from runtime.admin import tables
from runtime.admin.arguments import as_json_option, as_one_object, check_known, limit_option
from runtime.admin.saga_filter import saga_filter
from runtime.admin.session import NEEDS_A_PERSON, Session, say_done
from runtime.admin.showing import show
from runtime.envelope import parse_address
from runtime.operate.dead_letters import Act
from runtime.operate.retries import try_again
from runtime.operate.survey import (
    SagaPage,
    Wanted,
    place_of,
    place_text,
    saga_counts,
    sagas,
    some_need_a_person,
)
from runtime.store.port import OperatorStore
from runtime.store.summaries import SummaryOrder

__all__ = ["list_sagas", "retry_saga"]


@click.command("sagas")
@saga_filter
@click.option(
    "--order",
    type=click.Choice([one.value for one in SummaryOrder]),
    default=SummaryOrder.PROGRESS.value,
    show_default=True,
    help="Longest without progress first, or by kind and key.",
)
@click.option("--after", default="", metavar="PLACE", help="Go on from the end of the page before, which names it.")
@click.option("--count", is_flag=True, help="Only say how many there are, by kind and status.")
@click.option(
    "--exit-code",
    is_flag=True,
    help="Exit with 8 if one that fits needs a person: stuck, without its version, or dead letters.",
)
@limit_option
@as_json_option
@click.pass_obj
def list_sagas(
    session: Session, /, count: bool, exit_code: bool, limit: int, order: str, after: str, as_json: bool, **chosen: Any
) -> None:
    """Saga instances, longest without progress first. `processes` lists what choreographies do."""
    wanted = Wanted(**chosen)

    async def read(store: OperatorStore) -> tuple[SagaPage, bool]:
        place = place_of(after) if after else None
        page = await sagas(store, wanted, limit=limit, order=SummaryOrder(order), after=place)
        return page, exit_code and await some_need_a_person(store, wanted)

    if count:
        _count(session, wanted, as_json)
        return
    page, needed = session.run(read)
    show(as_json, [asdict(one) for one in page.entries], tables.sagas_table(page.entries, session.now_s()), "no saga")
    if not page.entries and not after:
        check_known(session, wanted.kind, "the kind", lambda view: view.kinds)
    if page.next is not None:
        place = shlex.quote(place_text(page.next))
        click.echo(f"warning: more fit, beyond --limit; the next page: --after {place}", err=True)
    if needed:
        raise SystemExit(NEEDS_A_PERSON)


def _count(session: Session, wanted: Wanted, as_json: bool) -> None:
    if wanted != Wanted(kind=wanted.kind, statuses=wanted.statuses):
        raise click.UsageError("--count goes by --kind and --status alone; leave the others out")
    counts = session.run(lambda store: saga_counts(store, kind=wanted.kind, statuses=wanted.statuses))
    found = [{"kind": kind, "status": status, "count": number} for kind, status, number in counts]
    show(as_json, found, tables.counts_table(counts), "no saga")


@click.command("retry-saga")
@click.argument("saga", metavar="KIND/KEY")
@click.option("--who", default=getpass.getuser, help="Who does it, for the record.  [default: your login]")
@click.option("--reason", required=True, help="Why, for the record.")
@as_one_object
@click.pass_obj
def retry_saga(session: Session, saga: str, who: str, reason: str, as_json: bool) -> None:
    """Have a stuck saga try again what it could not do, once the cause is mended.

    It makes the undo, asks the step or keeps the answer anew, with a fresh budget; refused when it is not stuck.
    """
    session.run(lambda store: try_again(store, parse_address(saga), Act(who, session.now_s(), reason)), writes=True)
    say_done(as_json, "retry", {"saga": saga}, f"{saga} tries again as soon as its node finds the message")
