"""`token` makes a token for one operator: the token for him alone, and the entry by which a server knows it again."""

from __future__ import annotations

import json

import click

from runtime.admin.session import Session
from runtime.gateway.operators.operator import digest_of, new_token
from runtime.observe.console import say_json

__all__ = ["token"]


@click.command("token")
@click.argument("name")
@click.option("--acts", is_flag=True, help="The operator may act, and not only read.")
@click.option("--json", "as_json", is_flag=True, help="Print name, rights, token and digest as JSON.")
@click.pass_obj
def token(session: Session, name: str, acts: bool, as_json: bool) -> None:
    """Make a token for the operator NAME. Append what is printed to the file of operators; the token itself is told
    once, on standard error: amends admin token ann >> operators.toml"""
    if not name or len(name) > 200 or not name.isprintable():
        raise click.UsageError("NAME is up to 200 printable characters")
    made, rights = new_token(session.ports.ids), "act" if acts else "read"
    if as_json:
        say_json({"name": name, "rights": rights, "token": made, "digest": digest_of(made)})
        return
    click.echo(f'[{json.dumps(name, ensure_ascii=False)}]\nrights = "{rights}"\ntoken = "{digest_of(made)}"\n')
    click.echo(f"the token of {name}, which is kept nowhere: {made}", err=True)
