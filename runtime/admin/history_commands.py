"""`history` tells what one saga instance was given, and what came of each message; it writes a test of that as well."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Group

from runtime.admin.arguments import as_one_object
from runtime.admin.history_views import differences_table, history_view
from runtime.admin.known_types import known_types
from runtime.admin.session import Session
from runtime.admin.showing import show
from runtime.contracts import Contracts
from runtime.envelope import parse_address
from runtime.errors import AmendsError
from runtime.observe.sequence import as_mermaid
from runtime.operate.as_test import as_test
from runtime.operate.differences import differences
from runtime.operate.history import InstanceHistory, read_history
from runtime.operate.history_objects import history_object
from runtime.operate.import_name import import_name
from runtime.project import read_project
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.named_catalogue import find_catalogue
from runtime.saga.saga import Saga
from runtime.store.port import OperatorStore

__all__ = ["saga_history"]

_FORMS = ("text", "json", "mermaid", "test")


@click.command("history")
@click.argument("saga", metavar="KIND/KEY")
@click.option("--catalogue", metavar="MODULE:NAME", help="Whose definitions tell the states.  [default: the project's]")
@click.option("--format", "form", type=click.Choice(_FORMS), default="text", show_default=True)
@click.option("--as-test", "is_test", is_flag=True, help="As --format test: a pytest file that replays it.")
@click.option(
    "--diff", type=(click.IntRange(0), click.IntRange(0)), metavar="A B", help="What two revisions differ in."
)
@as_one_object
@click.pass_obj
def saga_history(
    session: Session,
    saga: str,
    catalogue: str | None,
    form: str,
    is_test: bool,
    diff: tuple[int, int] | None,
    as_json: bool,
) -> None:
    """What a saga was given, and its states, tasks, commands and timers after each message.

    States of the past are in no store. They are made again by the definition, so run it where the project's catalogue
    is, in the version that began the instance.
    """
    form = "test" if is_test else "json" if as_json else form
    sagas, contracts = _carried(session, catalogue)
    behaviours = {kind: SagaBehaviour(one, contracts.names) for kind, one in sagas.items()}

    async def read(store: OperatorStore) -> InstanceHistory:
        return await read_history(store, contracts, behaviours, parse_address(saga))

    found = session.run(read)
    if diff is not None:
        _show_difference(session, contracts, found, diff, form == "json")
    elif form == "test":
        _write_test(session, found, behaviours, sagas, catalogue)
    elif form == "mermaid":
        click.echo(as_mermaid(found.conversation), nl=False)
    else:
        show(form == "json", history_object(contracts, found), Group(*history_view(contracts, found)))


def _catalogue_of(named: str | None) -> str:
    """MODULE:NAME; empty where there is none. Raises AmendsError."""
    return named or read_project(Path.cwd()).catalogue or ""


def _carried(session: Session, catalogue: str | None) -> tuple[Mapping[str, type[Saga[Any]]], Contracts]:
    """The sagas that this build has, by kind, and the contracts to read messages with."""
    try:
        name = _catalogue_of(catalogue)
        if not name:
            return {}, known_types(session)
        known = find_catalogue(Path.cwd(), name, or_else="name one with --catalogue")
    except AmendsError as error:
        raise click.UsageError(str(error)) from error
    return {one.definition.name: one for one in known.hosted if issubclass(one, Saga)}, known.contracts


def _show_difference(
    session: Session, contracts: Contracts, found: InstanceHistory, diff: tuple[int, int], as_json: bool
) -> None:
    async def compare(_: OperatorStore) -> list[dict[str, str]]:
        between = differences(contracts, found.record_at(diff[0]), found.record_at(diff[1]))
        return [{"what": one.what, "before": one.before, "after": one.after} for one in between]

    rows = session.run(compare)
    show(as_json, rows, differences_table(rows), "nothing")


def _write_test(
    session: Session,
    found: InstanceHistory,
    behaviours: Mapping[str, SagaBehaviour],
    sagas: Mapping[str, type[Saga[Any]]],
    catalogue: str | None,
) -> None:
    async def write(_: OperatorStore) -> str:
        kind, told_by = found.row.kind, _catalogue_of(catalogue).partition(":")[0]
        saga = import_name(sagas[kind], filter(None, [told_by])) if kind in sagas else ""
        return as_test(found, behaviours.get(kind), saga)

    click.echo(session.run(write), nl=False)
