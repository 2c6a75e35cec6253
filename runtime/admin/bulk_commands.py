"""`dead-letters replay-many` and `discard-many`: a preview first, and with --yes a run that is kept in the store."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Sequence
from typing import Any

import click

from runtime.admin.arguments import as_json_option, as_one_object, check_known
from runtime.admin.run_views import groups_table, say_kept, tell_run
from runtime.admin.session import Session
from runtime.admin.showing import show
from runtime.envelope import address_of
from runtime.observe.console import say_json
from runtime.operate import letter_runs, objects
from runtime.operate.letter_filter import LetterFilter, choose
from runtime.operate.letter_groups import READ_MAX, groups
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.run import ITEMS_MAX, run_name
from runtime.operate.runs import RunView, carry_on, view_of
from runtime.protos.saga_pb2 import LetterRun
from runtime.store.port import OperatorStore

__all__ = ["discard_many", "group_letters", "replay_many"]

_WAIT_S = 10.0


@click.command("groups")
@as_json_option
@click.pass_obj
def group_letters(session: Session, as_json: bool) -> None:
    """How many there are for each kind, type of message and class of error, the largest group first."""
    found, is_all = session.run(groups)
    told = [objects.group_object(one) for one in found]
    show(as_json, told, groups_table(found, session.now_s()), "no dead letter")
    if not is_all:
        click.echo(f"warning: there are more than the {READ_MAX:,} dead letters that were read", err=True)


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    """The options that both commands have."""
    options: tuple[Callable[[Any], Any], ...] = (
        click.option("--kind", default="", help="Only mail of actors of this kind."),
        click.option("--key", default="", metavar="PREFIX", help="Only mail of actors whose key begins like this."),
        click.option("--type", "type_", default="", help="Only messages of this type; its last part will do."),
        click.option("--sender", default="", metavar="KIND[/KEY]", help="Only from this saga or service, or kind."),
        click.option("--error", default="", metavar="TEXT", help="Only those whose reason has this text in it."),
        click.option("--class", "error_class", default="", help="Only of this class of error, as `groups` tells it."),
        click.option("--all", "every", is_flag=True, help="All of them, instead of those that fit."),
        click.option("--limit", type=click.IntRange(1, ITEMS_MAX), default=100, show_default=True, help="At most."),
        click.option("--yes", is_flag=True, help="Do it. Without it, what would be done is only listed."),
        click.option("--name", default="", help="Of the run that does it.  [default: act and instant]"),
        click.option("--reason", default="", help="Why, for the record; needed with --yes."),
        click.option("--who", default=getpass.getuser, help="Who does it, for the record.  [default: your login]"),
        as_one_object,
        click.pass_obj,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("replay-many")
@_choosing
@click.option("--force", is_flag=True, help="Also those whose saga has gone on without them.")
def replay_many(session: Session, **said: Any) -> None:
    """Let many dead letters run again. Lists them, unless --yes is given.

    With it they are chosen once and kept as a run, which `runs resume` carries on after an interrupt.
    Exit codes: 5 some were refused, 9 more fit than --limit, or some are left.
    """
    _run(session, LetterRun.REPLAY, **said)


@click.command("discard-many")
@_choosing
@click.option("--force", is_flag=True, help="Also those by which alone a process can begin, or go on.")
def discard_many(session: Session, **said: Any) -> None:
    """Give many dead letters up for good. Lists them, unless --yes is given.

    With it they are chosen once and kept as a run, which `runs resume` carries on after an interrupt.
    Exit codes: 5 some were refused, 9 more fit than --limit, or some are left.
    """
    _run(session, LetterRun.DISCARD, **said)


def _run(
    session: Session,
    act: LetterRun.Act.ValueType,
    *,
    every: bool,
    limit: int,
    yes: bool,
    name: str,
    who: str,
    reason: str,
    force: bool,
    as_json: bool,
    type_: str,
    **fields: str,
) -> None:
    wanted, word = LetterFilter(type=type_, **fields), LetterRun.Act.Name(act).lower()
    if wanted.is_empty != every:
        raise click.UsageError("say which: --kind, --key, --type, --sender, --error, --class; or --all, alone")
    if yes and not reason.strip():
        raise click.UsageError("say why, for the record: --reason TEXT")
    said = LetterRun(act=act, who=who, reason=reason, forced=force, chosen_by=wanted.in_words)

    async def work(store: OperatorStore) -> tuple[Sequence[ParkedMail], int, RunView | None]:
        letters, more = await choose(store, wanted, limit=limit)
        if not (yes and letters):
            return letters, more, None
        ports, places = session.ports, [one.place for one in letters]
        named = name or run_name(word, session.now_s(), ports.ids.new_id())
        run = await letter_runs.begin(store, named, said, places, now_s=session.now_s())
        say_kept(named)
        return letters, more, view_of(await carry_on(store, run, ports.clock, wait_s=_WAIT_S))

    letters, more, run = session.run(work, writes=yes)
    if run is None:
        _list(word, letters, more, as_json)
    else:
        tell_run(run, as_json, more=more)
    if not letters:
        check_known(session, wanted.kind, "the kind", lambda view: view.kinds)


def _list(word: str, letters: Sequence[ParkedMail], more: int, as_json: bool) -> None:
    if as_json:
        say_json({"act": word, "more": more, "would": [objects.letter_object(one) for one in letters]}, indent=2)
        return
    for letter in letters:
        click.echo(f"would {word} {_line(letter)}: {letter.error!r}")
    click.echo(f"{len(letters)} to {word}; nothing was done: add --yes to do it" if letters else "none fits")
    if more:
        click.echo(f"{more} more fit, beyond --limit")


def _line(letter: ParkedMail) -> str:
    return f"{letter.row.id.hex()} {letter.type or 'unreadable'} for {address_of(*letter.row.address)!r}"
