"""`serve` offers the repair desk as a gRPC service, in a process of its own that needs no node."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import click

from runtime.admin.session import Session, load_contracts
from runtime.errors import AmendsError
from runtime.gateway.desk.known import RepairDesk
from runtime.gateway.desk.server import DeskServer
from runtime.gateway.operators.authenticator import Authenticator
from runtime.observe.logging import open_log
from runtime.project import FILE, TABLE, read_project
from runtime.saga.catalogue import Catalogue
from runtime.saga.named_catalogue import find_catalogue
from runtime.store.port import OperatorStore

__all__ = ["serve"]

_GRACE_S = 5.0


@click.command("serve")
@click.option("--store", "url", metavar="URL", help="As before COMMAND.")
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:7660",
    show_default=True,
    help="An address of the loopback. Port 0 takes any free one.",
)
@click.option("--anywhere", is_flag=True, help="Allow other addresses; whoever reaches one may do what is offered.")
@click.option(
    "--operators",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Let only those call who are in this file; `token` makes their entries.",
)
@click.option("--proxy-header", metavar="NAME", help="By which a proxy on this machine names who calls.")
@click.option("--allow-acts", is_flag=True, help="Also offer the methods that change something.")
@click.option(
    "--catalogue",
    metavar="MODULE:NAME",
    help=f"Whose definitions preview acts and tell histories.  [default: catalogue of [{TABLE}] in {FILE}]",
)
@click.option("--json", "as_json", is_flag=True, help="Say the address as one line of JSON.")
@click.pass_obj
def serve(
    session: Session,
    url: str | None,
    listen: str,
    anywhere: bool,
    operators: Path | None,
    proxy_header: str | None,
    allow_acts: bool,
    catalogue: str | None,
    as_json: bool,
) -> None:
    """Serve amends.AdminService over a store, until a signal ends it. Callers may only read, unless --allow-acts."""
    session.url = url or session.url
    if proxy_header and operators is None:
        raise click.UsageError("--proxy-header needs --operators FILE: who is not in the file is nobody")
    found = _catalogue(catalogue)
    log = open_log(clock=session.ports.clock, node="admin")
    ports = replace(session.ports, report=log.report)

    async def run(store: OperatorStore) -> None:
        clock = ports.clock
        desk = (
            RepairDesk.of(store, found, clock) if found else RepairDesk(store, load_contracts(session.contracts), clock)
        )
        asked = Authenticator(operators, ports, proxy_header=proxy_header or "") if operators else None
        server = DeskServer(desk, listen, ports, allow_acts=allow_acts, anywhere=anywhere, authenticator=asked)
        await server.start()
        _say(server.address, allow_acts=allow_acts, as_json=as_json)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:  # A signal ends it, and that is no failure.
            await server.close(_GRACE_S)

    session.run(run, writes=allow_acts)


def _say(address: str, *, allow_acts: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"address": address, "acts": allow_acts}))
    else:
        click.echo(f"serves AdminService at {address}, {'acts allowed' if allow_acts else 'read-only'}")


def _catalogue(name: str | None) -> Catalogue | None:
    """None without a project that names one, unless it is asked for by name."""
    try:
        if not name and not read_project(Path.cwd()).catalogue:
            return None
        return find_catalogue(Path.cwd(), name, or_else="name one with --catalogue")
    except AmendsError as error:
        raise click.UsageError(str(error)) from error
