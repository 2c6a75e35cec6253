"""`dead-letters replay-many` and `discard-many`: a preview first, and with --yes the act."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from typing import Any

import click

from runtime.admin.arguments import as_one_object, check_known
from runtime.admin.session import Session
from runtime.envelope import address_of
from runtime.observe.console import say_json
from runtime.operate import objects
from runtime.operate.bulk import BulkResult, Check, act_on
from runtime.operate.dead_letters import Act, check_awaited, check_dispensable, discard, replay
from runtime.operate.letter_filter import LetterFilter, choose
from runtime.operate.parked_mail import ParkedMail
from runtime.store.port import OperatorStore
from runtime.store.records import Transition

__all__ = ["discard_many", "replay_many"]

_FAILED = 1
_REFUSED = 5
_IN_PART = 9  # all that was tried is done, and more would have fitted


def _choosing(command: Callable[..., None]) -> Callable[..., None]:
    """The options that both commands have."""
    options: tuple[Callable[[Any], Any], ...] = (
        click.option("--kind", default="", help="Only mail of actors of this kind."),
        click.option("--key", default="", metavar="PREFIX", help="Only mail of actors whose key begins like this."),
        click.option("--type", "type_", default="", help="Only messages of this type; its last part will do."),
        click.option("--sender", default="", metavar="KIND[/KEY]", help="Only from this saga or service, or kind."),
        click.option("--error", default="", metavar="TEXT", help="Only those whose reason has this text in it."),
        click.option("--all", "every", is_flag=True, help="All of them, instead of those that fit."),
        click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="At most."),
        click.option("--yes", is_flag=True, help="Do it. Without it, what would be done is only listed."),
        click.option("--who", default=getpass.getuser, help="Who does it, for the record.  [default: your login]"),
        as_one_object,
        click.pass_obj,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("replay-many")
@_choosing
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--force", is_flag=True, help="Also those whose saga has gone on without them.")
def replay_many(session: Session, reason: str, force: bool, **chosen: Any) -> None:
    """Let many dead letters run again. Lists them, unless --yes is given."""
    _run(session, "replay", replay, check_awaited, reason, force=force, **chosen)


@click.command("discard-many")
@_choosing
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--force", is_flag=True, help="Also those by which alone a process can begin, or go on.")
def discard_many(session: Session, reason: str, force: bool, **chosen: Any) -> None:
    """Give many dead letters up for good. Lists them, unless --yes is given."""
    _run(session, "discard", discard, check_dispensable, reason, force=force, **chosen)


def _run(
    session: Session,
    word: str,
    transition: Callable[[ParkedMail, Act], Transition],
    check: Check,
    reason: str,
    *,
    force: bool,
    every: bool,
    limit: int,
    yes: bool,
    who: str,
    as_json: bool,
    type_: str,
    **fields: str,
) -> None:
    wanted = LetterFilter(type=type_, **fields)
    if wanted.is_empty != every:
        raise click.UsageError("say which: --kind, --key, --type, --sender or --error; or --all, without these")

    async def work(store: OperatorStore) -> tuple[list[ParkedMail], int, BulkResult | None]:
        letters, more = await choose(store, wanted, limit=limit)
        act = Act(who, session.now_s(), reason, force)
        return letters, more, await act_on(store, letters, transition, act, check) if yes else None

    letters, more, outcome = session.run(work, writes=yes)
    if as_json:
        say_json(_object(word, letters, more, outcome), indent=2)
    else:
        _tell(word, letters, more, outcome)
    if not letters:
        check_known(session, wanted.kind, "the kind", lambda view: view.kinds)
    if outcome is not None and outcome.stopped_by:
        click.echo(f"Error: the letters after these were not tried: {outcome.stopped_by}", err=True)
        raise SystemExit(128 + session.told[0] if session.told else _FAILED)
    if outcome is not None and outcome.refused:
        raise SystemExit(_REFUSED)
    if outcome is not None and more:
        raise SystemExit(_IN_PART)


def _tell(word: str, letters: list[ParkedMail], more: int, outcome: BulkResult | None) -> None:
    if outcome is None:
        for letter in letters:
            click.echo(f"would {word} {_line(letter)}: {letter.row.parked.partition(chr(10))[0]!r}")
        click.echo(f"{len(letters)} to {word}; nothing was done: add --yes to do it" if letters else "none fits")
    else:
        for letter in outcome.done:
            click.echo(f"{word}ed {_line(letter)}")
        for letter, why in outcome.refused:
            click.echo(f"refused {_line(letter)}: {why}")
        click.echo(f"{len(outcome.done)} {word}ed, {len(outcome.refused)} refused")
    if more:
        click.echo(f"{more} more fit, beyond --limit")


def _line(letter: ParkedMail) -> str:
    return f"{letter.row.id.hex()} {letter.type or 'unreadable'} for {address_of(*letter.row.address)!r}"


def _object(word: str, letters: list[ParkedMail], more: int, outcome: BulkResult | None) -> dict[str, object]:
    told: dict[str, object] = {"act": word, "more": more}
    if outcome is None:
        return {**told, "would": [objects.letter_object(letter) for letter in letters]}
    return {
        **told,
        "done": [letter.row.id.hex() for letter in outcome.done],
        "refused": {letter.row.id.hex(): why for letter, why in outcome.refused},
        "stopped_by": outcome.stopped_by,
    }
