"""How a command of `amends client` calls a cluster: the nodes and contracts it was given, and errors as exit codes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click

from runtime.adapters import system_ports
from runtime.admin.session import load_contracts
from runtime.cli.hosting import find_hosting
from runtime.contracts import Contracts
from runtime.errors import (
    AmendsError,
    CannotJoin,
    DeadlineExceeded,
    InvalidDefinition,
    InvalidMessage,
    InvalidSettings,
    LinkLost,
    NoSuchSaga,
    Overloaded,
    StoreBusy,
    StoreFull,
    StoreUnavailable,
)
from runtime.gateway.remote_client import PATIENCE_S, RemoteClient
from runtime.observe.console import say_json
from runtime.observe.signals import Ended, until_told

__all__ = ["NOT_FOUND", "REFUSED", "CallOptions", "ClientFailed", "calls", "common_options"]

NOT_FOUND, REFUSED = 4, 5
_EXITS: tuple[tuple[int, tuple[type[AmendsError], ...]], ...] = (
    (2, (InvalidMessage, InvalidSettings, InvalidDefinition)),
    (3, (LinkLost, Overloaded, StoreUnavailable, StoreBusy, StoreFull)),
    (NOT_FOUND, (NoSuchSaga,)),
    (REFUSED, (CannotJoin,)),
    (6, (DeadlineExceeded,)),
)

P = ParamSpec("P")


class ClientFailed(click.ClickException):
    """A line on stderr and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it for classes, and reads it from instances


@dataclass(frozen=True, slots=True)
class CallOptions:
    """Who is asked, what messages are made and read with, and how answers are shown."""

    nodes: tuple[str, ...] = ()
    contracts: tuple[str, ...] = ()
    as_json: bool = False

    def load(self) -> Contracts:
        """Raises InvalidSettings when neither an option nor the project says what the messages are."""
        if self.contracts:
            return load_contracts(self.contracts)
        or_else = "name the modules of messages with --contracts MODULE"
        return find_hosting(Path.cwd(), or_else=or_else).catalogue.contracts

    def show(self, fields: dict[str, object], line: str) -> None:
        if self.as_json:
            say_json(fields)
        else:
            click.echo(line)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of the group and of each of its commands."""
    node = click.option(
        "--node", "nodes", multiple=True, metavar="HOST:PORT", expose_value=False, callback=_keep, envvar="AMENDS_NODE",
        help="A node of the cluster; several may be given.  [default: 127.0.0.1:7650]",
    )  # fmt: skip
    contracts = click.option(
        "--contracts", multiple=True, metavar="MODULE", expose_value=False, callback=_keep, envvar="AMENDS_CONTRACTS",
        help="Module of messages, or package of such.  [default: those of the project's catalogue]",
    )  # fmt: skip
    as_json = click.option(
        "--json", "as_json", is_flag=True, expose_value=False, callback=_keep, help="Print one JSON object a line."
    )
    return node(contracts(as_json(command)))


def _keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value:
        assert parameter.name is not None
        context.obj = replace(context.obj or CallOptions(), **{parameter.name: value})


def calls(
    work: Callable[Concatenate[RemoteClient, CallOptions, P], Coroutine[Any, Any, None]],
) -> Callable[..., None]:
    """A command from a coroutine; what a node, or the input, is refused for becomes an exit code."""

    @wraps(work)
    def run(*arguments: P.args, **options: P.kwargs) -> None:
        wanted: CallOptions = click.get_current_context().obj or CallOptions()
        told: list[signal.Signals] = []

        async def with_client() -> None:
            addresses = wanted.nodes or ("127.0.0.1:7650",)
            client = RemoteClient(addresses, wanted.load(), system_ports(), PATIENCE_S)
            try:
                await work(client, wanted, *arguments, **options)
            finally:
                await client.close()

        try:
            asyncio.run(until_told(with_client(), told))
        except Ended as ended:
            raise ClientFailed(f"{ended}; what was sent is still carried out", ended.exit_code) from None
        except AmendsError as error:
            code = next((code for code, kinds in _EXITS if isinstance(error, kinds)), 1)
            raise ClientFailed(str(error), code) from error

    return common_options(run)
