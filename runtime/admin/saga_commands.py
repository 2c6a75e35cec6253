"""`retry-saga`: a stuck saga tries again what it could not do."""

from __future__ import annotations

import getpass

import click

from runtime.admin.arguments import as_one_object
from runtime.admin.session import Session, say_done
from runtime.envelope import parse_address
from runtime.operate.dead_letters import Act
from runtime.operate.retries import try_again

__all__ = ["retry_saga"]


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
