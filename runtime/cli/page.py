"""`amends page`: the operator's page, served by a process of its own that needs the store and no node."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from runtime.admin.known_types import known_catalogue, types_of
from runtime.admin.session import Session
from runtime.gateway.operators.authenticator import Authenticator
from runtime.observe.logging import open_log
from runtime.page.desk import PageDesk, acting_on, view_of
from runtime.page.known_catalogue import KnownCatalogue
from runtime.page.login import login
from runtime.page.server import PageServer
from runtime.project import FILE, TABLE
from runtime.store_url import without_password

__all__ = ["page"]

_GRACE_S = 5.0


@click.command(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 ended by a signal, 1 failed: the store cannot be read, or was written by a newer version, or "
    "the port is taken; 2 bad input.",
)
@click.option(
    "--store",
    metavar="URL",
    envvar="AMENDS_STORE",
    default="sqlite:///amends.db",
    show_default=True,
    show_envvar=True,
    help="As the nodes have it.",
)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    default="127.0.0.1:7680",
    show_default=True,
    help="An address of the loopback. Port 0 takes any free one.",
)
@click.option(
    "--contracts",
    envvar="AMENDS_CONTRACTS",
    multiple=True,
    default=("protos",),
    metavar="MODULE",
    show_envvar=True,
    help="Module of messages, or package of such, to show states with.  [default: those of the project's catalogue, "
    "else protos]",
)
@click.option(
    "--catalogue",
    default="",
    metavar="MODULE:NAME",
    help=f"Whose definitions tell what an act would do.  [default: catalogue of [{TABLE}] in {FILE}]",
)
@click.option("--read-only", is_flag=True, help="Offer no acts.")
@click.option(
    "--operators",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Let only those in who are in this file; `amends admin token` makes their entries.",
)
@click.option(
    "--proxy-header",
    default="",
    metavar="NAME",
    help="By which a proxy on this machine names who looks.",
)
@click.option("--host", "hosts", multiple=True, metavar="NAME", help="A name by which others reach the page.")
@click.option("--json", "as_json", is_flag=True, help="Say the address as one line of JSON.")
@click.pass_context
def page(
    ctx: click.Context,
    store: str,
    listen: str,
    contracts: tuple[str, ...],
    catalogue: str,
    read_only: bool,
    operators: Path | None,
    proxy_header: str,
    hosts: tuple[str, ...],
    as_json: bool,
) -> None:
    """Serve the operator's page until a signal ends it: how all sagas stand, and what can be done about each.

    It works while nodes run and when none does. Without --operators it asks nobody who he is: so it is offered on the
    loopback alone.
    """
    if (proxy_header or hosts) and operators is None:
        raise click.UsageError("--proxy-header and --host need --operators FILE, which says who may come in")
    said = ctx.get_parameter_source("contracts") is not ParameterSource.DEFAULT
    session = Session(url=store, contracts=contracts, contracts_are_said=said)

    def ready(url: str) -> None:
        how = "read-only; " if read_only else ""
        told = {"url": url, "acts": not read_only}
        click.echo(json.dumps(told) if as_json else f"the page is at {url} ({how}Ctrl-C ends it)")

    async def serve() -> None:
        ports = replace(session.ports, report=open_log(clock=session.ports.clock, node="page").report)
        known = known_catalogue(catalogue)
        acting = None if read_only else acting_on(store, ports, known, login())
        here = KnownCatalogue(known) if known is not None else None
        desk = PageDesk(view_of(store, ports), types_of(session, known), without_password(store), acting, here)
        asked = Authenticator(operators, ports, proxy_header=proxy_header) if operators else None
        server = PageServer(desk, listen, ports, authenticator=asked, hosts=hosts)
        async with desk.view() as view:  # whether it can be read is told now, and not by the first screen
            await view.cluster()
        await server.start()
        ready(server.url)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:  # a signal ends it, and that is no failure
            await server.close(_GRACE_S)

    session.run_alone(serve())
