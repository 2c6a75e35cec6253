"""`dead-letters replay` and `discard`: one letter, with the checks of what would be lost."""

from __future__ import annotations

import getpass

import click

from runtime.admin.arguments import as_one_object
from runtime.admin.session import Session, say_done
from runtime.envelope import address_of
from runtime.operate.dead_letters import Act
from runtime.operate.letter_acts import discard_letter, replay_letter
from runtime.operate.parked_mail import ParkedMail
from runtime.store.port import OperatorStore

__all__ = ["discard_command", "replay_command"]

_id = click.argument("id")
_who = click.option("--who", default=getpass.getuser, help="Who does it, for the record.  [default: your login]")


@click.command("replay")
@_id
@_who
@click.option("--reason", default="", help="Why, for the record.")
@click.option("--force", is_flag=True, help="Also if the saga that sent it has gone on without it.")
@as_one_object
@click.pass_obj
def replay_command(session: Session, id: str, who: str, reason: str, force: bool, as_json: bool) -> None:
    """Let the message with this ID (or its first digits) run again.

    Refused when the saga that sent it no longer waits for it: nothing would undo what it does then.
    """

    async def work(store: OperatorStore) -> ParkedMail:
        return await replay_letter(store, id, Act(who, session.now_s(), reason, force))

    letter = session.run(work, writes=True)
    _say("replay", letter, as_json, "{id} waits for {to} again")


@click.command("discard")
@_id
@_who
@click.option("--reason", required=True, help="Why, for the record.")
@click.option("--force", is_flag=True, help="Also if a process can begin, or go on, by nothing else.")
@as_one_object
@click.pass_obj
def discard_command(session: Session, id: str, who: str, reason: str, force: bool, as_json: bool) -> None:
    """Give the message with this ID (or its first digits) up for good.

    Refused when a saga is stuck on it, when it would start one, or when it moves a choreography on.
    """

    async def work(store: OperatorStore) -> ParkedMail:
        return await discard_letter(store, id, Act(who, session.now_s(), reason, force))

    letter = session.run(work, writes=True)
    _say("discard", letter, as_json, "{id} was discarded; {to} will never handle it")


def _say(act: str, letter: ParkedMail, as_json: bool, text: str) -> None:
    told = {"id": letter.row.id.hex(), "to": address_of(*letter.row.address)}
    say_done(as_json, act, told, text.format(**told))
