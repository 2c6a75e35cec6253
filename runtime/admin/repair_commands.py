"""`repair` has one saga do what an operator decides; with --preview it only says what that would be."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from runtime.admin.arguments import SECONDS, as_one_object
from runtime.admin.session import Session, say_done
from runtime.admin.timer_options import Timing, timer_options
from runtime.envelope import parse_address
from runtime.observe.console import say_json
from runtime.observe.plain import as_line
from runtime.operate.objects import preview_object
from runtime.operate.repairs import look_ahead, post_and_wait
from runtime.project import FILE, TABLE
from runtime.protos.saga_pb2 import RepairSaga
from runtime.saga.named_catalogue import find_catalogue
from runtime.saga.preview import Preview

__all__ = ["ACTS", "repair"]

ACTS = {name.lower().replace("_", "-"): number for name, number in RepairSaga.Act.items() if number != RepairSaga.NONE}
_REFUSED = 5

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.argument("act", type=click.Choice(list(ACTS))),
    click.argument("saga", metavar="KIND/KEY"),
    click.option("--task", default="", metavar="NAME", help="The step, as `explain` names it; an item: lines[HAT]."),
    click.option("--reason", required=True, help="Why, for the record."),
    click.option("--who", default=getpass.getuser, help="Who does it, for the record.  [default: your login]"),
    click.option("--expect", type=click.IntRange(0), help="Only at this revision, which `explain` and --preview name."),
    click.option("--data", type=click.File(), help="Of retry: a file with the new state, as JSON."),
    click.option("--digest", default="", help="Of approve and decline: of what was looked at."),
    timer_options,
    click.option("--preview", is_flag=True, help="Only say what would be sent, and which tasks would move."),
    click.option(
        "--catalogue",
        metavar="MODULE:NAME",
        help=f"Of --preview: where the saga is defined.  [default: catalogue of [{TABLE}] in {FILE}]",
    ),
    click.option(
        "--wait", "wait_s", type=SECONDS, default=10.0, show_default=True, help="Seconds to wait for what came of it."
    ),
    as_one_object,
    click.pass_obj,
)

_ABOUT = """Have one saga do what an operator decides. `explain KEY` lists what can be done, as commands to copy.

\b
retry        what is stuck is tried anew, or one --task; with --data on another state
mark-done    a stuck --task was done by hand
mark-undone  the stuck undo of a --task was done by hand: the rest of the undo goes on; or a stuck pivot never happened
skip         a stuck --task past the pivot is left out; a stuck undo is given up
force        a --task without an outcome counts as done
cancel       the saga turns back, which it can before its pivot
suspend      nothing is sent any more; answers and timers are kept
resume       it goes on, with what came meanwhile
abandon      it ends as it is, and its record says what is owed
approve      what a --task asks a person for is approved; --digest says what was looked at, as `explain` shows it
decline      it is not: the saga turns back
move-timer   a --timer fires at another instant: --now, --at INSTANT or --in SECONDS
cancel-timer a --timer does not fire: a reminder, the deadline, or the limit of an approval

These two act on timers of services, too, and on the deadline of a conversation, whose KIND/KEY is as `timers` names it.
"""


def _with_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("repair", help=_ABOUT)
@_with_options
def repair(
    session: Session,
    saga: str,
    preview: bool,
    catalogue: str | None,
    wait_s: float,
    as_json: bool,
    **said: Any,
) -> None:
    act = _act(**said)
    if preview:
        seen = _look_ahead(session, saga, act, catalogue)
        _say_preview(saga, said["act"], seen, as_json)
        if seen.refusal:
            raise SystemExit(_REFUSED)
        return
    clock = session.ports.clock
    result = session.run(lambda store: post_and_wait(store, parse_address(saga), act, clock, wait_s), writes=True)
    told = {"saga": saga, "handled": result is not None}
    if result is None:
        text = f"{saga} does it as soon as its node finds the message; `conversation` shows what came of it"
        say_done(as_json, said["act"], told, text)
    elif result.refusal:
        if as_json:
            say_json({"act": said["act"], **told, "refusal": result.refusal}, indent=2)
        else:
            click.echo(f"Error: {saga}: {result.refusal}", err=True)
        raise SystemExit(_REFUSED)
    else:
        say_done(as_json, said["act"], {**told, "text": result.text}, f"{saga}: {result.text}")


def _act(
    *, act: str, task: str, reason: str, who: str, expect: int | None, data: Any, digest: str, **timing: Any
) -> RepairSaga:
    text = "" if data is None else data.read()
    if data is not None and not text.strip():
        raise click.UsageError("--data is empty; write the whole state, as `explain --json` shows it")
    made = RepairSaga(
        act=ACTS[act],
        task=task,
        reason=reason,
        who=who,
        expected_revision=expect,
        state_json=text,
        digest=digest,
    )
    return Timing(**timing).put(made)


def _look_ahead(session: Session, saga: str, act: RepairSaga, catalogue: str | None) -> Preview:
    found = session.do(lambda: find_catalogue(Path.cwd(), catalogue, or_else="name one with --catalogue"))
    return session.run(lambda store: look_ahead(store, parse_address(saga), act, found.sagas, session.now_s()))


def _say_preview(saga: str, act: str, seen: Preview, as_json: bool) -> None:
    if as_json:
        say_json({"act": act, **preview_object(saga, seen)}, indent=2)
        return
    if seen.refusal:
        click.echo(f"refused: {seen.refusal}")
        return
    click.echo(f"{saga}, at revision {seen.revision}: {seen.text}")
    if seen.after:
        click.echo(f"status: {seen.before} -> {seen.after}")
    for move in seen.moves:
        click.echo(f"task {move.task}: {move.before or 'new'} -> {move.after}")
    for one in seen.sent:
        click.echo(f"sent to {one.to or 'its subscribers'}: {one.message.DESCRIPTOR.name} {{{as_line(one.message)}}}")
    if not seen.sent:
        click.echo("nothing is sent")
    click.echo(f"nothing was done: leave --preview out, and say --expect {seen.revision}")
