"""`repair-many` has many sagas do the same, by a run that is kept in the store."""

from __future__ import annotations

import getpass
from typing import Any

import click

from runtime.admin.arguments import SECONDS, as_one_object
from runtime.admin.repair_commands import ACTS
from runtime.admin.run_views import tell_run
from runtime.admin.saga_filter import SAGA_FILTER, saga_filter
from runtime.admin.session import Session
from runtime.admin.timer_options import Timing, timer_options
from runtime.observe.console import say_json
from runtime.operate.repair_runs import begin
from runtime.operate.run import ITEMS_MAX
from runtime.operate.runs import RunView, carry_on, view_of
from runtime.operate.survey import SagaPage, Wanted, sagas
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.port import OperatorStore

__all__ = ["repair_many"]

_wait = click.option(
    "--wait", "wait_s", type=SECONDS, default=10.0, show_default=True, help="Stop when nothing was handled for so long."
)


@click.command("repair-many")
@click.argument("act", type=click.Choice(list(ACTS)))
@click.option("--name", required=True, help="Of this run, by which it is resumed.")
@saga_filter
@click.option("--task", default="", metavar="NAME", help="The step that the act is about.")
@timer_options
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--who", default=getpass.getuser, help="Who does it, for the record.  [default: your login]")
@click.option("--limit", type=click.IntRange(1, ITEMS_MAX), default=100, show_default=True, help="Sagas at most.")
@click.option("--yes", is_flag=True, help="Do it. Without it, the sagas are only listed.")
@_wait
@as_one_object
@click.pass_obj
def repair_many(
    session: Session,
    /,
    act: str,
    name: str,
    task: str,
    reason: str,
    who: str,
    limit: int,
    yes: bool,
    wait_s: float,
    as_json: bool,
    timer: str,
    now: bool,
    at_s: float | None,
    in_s: float | None,
    **chosen: Any,
) -> None:
    """Have all sagas that fit do the same, as `repair` does. They are chosen once, when the run begins.

    It reaches sagas alone. Of processes that no saga drives, `dead-letters replay-many` replays what was given up, and
    `repair` moves or cancels one deadline or one timer of a service at a time.

    A saga that fits later is left alone, and one that has moved meanwhile refuses. The run is kept in the store: after
    an interrupt, `runs resume NAME` goes on where it stopped. Exit codes: 5 some were refused, 9 some are left.
    """
    wanted = Wanted(**chosen)
    if wanted == Wanted():
        raise click.UsageError(f"say which: {SAGA_FILTER}")
    if not yes:
        _list(session.run(lambda store: sagas(store, wanted, limit=limit)), act, as_json)
        return
    order = Timing(timer, now, at_s, in_s).put(RepairSaga(act=ACTS[act], task=task, reason=reason, who=who))

    async def work(store: OperatorStore) -> RunView:
        run = await begin(store, name, order, wanted, limit=limit, now_s=session.now_s())
        return view_of(await carry_on(store, run, session.ports.clock, wait_s=wait_s))

    tell_run(session.run(work, writes=True), as_json)


def _list(page: SagaPage, act: str, as_json: bool) -> None:
    found = [f"{one.kind}/{one.key}" for one in page.entries]
    if as_json:
        say_json({"act": act, "would": found, "more": page.next is not None}, indent=2)
        return
    for address in found:
        click.echo(f"would {act} {address}")
    click.echo(f"{len(found)} to {act}; nothing was done: add --yes to do it" if found else "none fits")
    if page.next is not None:
        click.echo("more fit, beyond --limit")
