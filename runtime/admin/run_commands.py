"""`runs`: acts on many that somebody has begun, here, on the page or by AdminService; shown, resumed, cancelled.

`acts` lists what operators did, one by one.
"""

from __future__ import annotations

import getpass

import click

from runtime.admin.arguments import SECONDS, as_json_option, as_one_object, limit_option
from runtime.admin.run_views import acts_table, runs_table, tell_run
from runtime.admin.session import Session
from runtime.admin.showing import show
from runtime.observe.console import say_json
from runtime.operate.audit import READ_MAX, acts_done
from runtime.operate.objects import act_object, run_object
from runtime.operate.runs import KINDS, RunView, cancel, carry_on, run_named, run_view, run_views, view_of
from runtime.protos.saga_pb2 import RunCancelled
from runtime.store.port import OperatorStore

__all__ = ["acts", "runs"]

_name = click.argument("name")
_kind = click.option("--kind", type=click.Choice(KINDS), default=None, help="Needed if two runs have this name.")


@click.group("runs", invoke_without_command=True)
@limit_option
@as_json_option
@click.pass_context
def runs(ctx: click.Context, limit: int, as_json: bool) -> None:
    """Acts on many sagas or dead letters that somebody has begun; `show`, `resume` or `cancel` one of them."""
    if ctx.invoked_subcommand is None:
        session: Session = ctx.obj
        found = session.run(lambda store: run_views(store, limit=limit))
        show(as_json, [run_object(one) for one in found], runs_table(found, session.now_s()), "nobody has begun a run")


@runs.command("show")
@_name
@_kind
@as_one_object
@click.pass_obj
def show_run(session: Session, name: str, kind: str | None, as_json: bool) -> None:
    """What came of each saga, or letter. Exit codes: 5 some were refused, 9 some are left."""

    async def look(store: OperatorStore) -> RunView:
        run = await run_named(store, name, kind or "")
        return await run_view(store, run.kind, run.name)

    tell_run(session.run(look), as_json)


@runs.command("resume")
@_name
@_kind
@click.option(
    "--wait", "wait_s", type=SECONDS, default=10.0, show_default=True, help="Stop when nothing was handled for so long."
)
@as_one_object
@click.pass_obj
def resume_run(session: Session, name: str, kind: str | None, wait_s: float, as_json: bool) -> None:
    """Carry a run on. Nothing is done twice. Exit codes: 5 some were refused, or it was cancelled, 9 some are left."""

    async def work(store: OperatorStore) -> RunView:
        run = await run_named(store, name, kind or "")
        return view_of(await carry_on(store, run, session.ports.clock, wait_s=wait_s))

    tell_run(session.run(work, writes=True), as_json)


@runs.command("cancel")
@_name
@_kind
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--who", default=getpass.getuser, help="Who does it, for the record.  [default: your login]")
@as_one_object
@click.pass_obj
def cancel_run(session: Session, name: str, kind: str | None, reason: str, who: str, as_json: bool) -> None:
    """End a run before all of it is done. What was done, or posted, stays so."""

    async def work(store: OperatorStore) -> RunView:
        run = await run_named(store, name, kind or "")
        said = RunCancelled(who=who, reason=reason, at_s=session.now_s())
        await cancel(store, run.kind, run.name, said)
        return await run_view(store, run.kind, run.name)

    run = session.run(work, writes=True)
    if as_json:
        say_json(run_object(run), indent=2)
    else:
        click.echo(f"{run.name} is cancelled: {run.done} done, {run.left} stay as they are")


@click.command("acts")
@limit_option
@as_json_option
@click.pass_obj
def acts(session: Session, limit: int, as_json: bool) -> None:
    """What operators did to sagas, timers and dead letters, the latest first. Reads the whole history."""
    found, is_all = session.run(lambda store: acts_done(store, limit=limit))
    show(as_json, [act_object(one) for one in found], acts_table(found, session.now_s()), "no operator has acted")
    if not is_all:
        click.echo(f"warning: the history has more than the {READ_MAX:,} acts that were read", err=True)
