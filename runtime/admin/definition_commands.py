"""`definitions` shows the versions of sagas that a store has seen; `check` says what a build cannot carry on.

check                 the catalogue alone: what its parts refuse, and what is often a mistake
check --store URL     and the instances in a store that this build has no version of
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich import box
from rich.table import Table

from runtime.admin.arguments import as_json_option, as_one_object
from runtime.admin.session import Session
from runtime.admin.showing import show
from runtime.admin.tables import printable
from runtime.durable.behaviour import carried
from runtime.errors import AmendsError, InvalidDefinition, InvalidSettings
from runtime.observe.console import say_json
from runtime.operate.definitions import UncarriedVersion, VersionEntry, stored_definition, uncarried, versions
from runtime.operate.spans import span
from runtime.operate.stored_kinds import lost_kinds, wrong_names
from runtime.project import FILE, TABLE
from runtime.protos.definition_pb2 import SagaDefinition
from runtime.saga.catalogue import Catalogue
from runtime.saga.comparison import differences, other_terms
from runtime.saga.diagram import draw_saga
from runtime.saga.findings import findings
from runtime.saga.flow_map import draw_flow, flow_of
from runtime.saga.flow_picture import picture_of
from runtime.saga.named_catalogue import find_catalogue
from runtime.saga.stored import described, read_back
from runtime.store.port import OperatorStore

__all__ = ["check", "definitions"]

_CANNOT = 1  # the exit code of a check that found what cannot go on

_FILE = click.Path(dir_okay=False, path_type=Path)
_catalogue = click.option(
    "--catalogue",
    metavar="MODULE:NAME",
    help=f"A Catalogue, or a function that gives one.  [default: catalogue of [{TABLE}] in {FILE}]",
)


@click.group("definitions", invoke_without_command=True)
@click.option("--kind", default="", help="Only those of this kind.")
@as_json_option
@click.pass_context
def definitions(ctx: click.Context, kind: str, as_json: bool) -> None:
    """Versions of sagas, by kind, the latest last; `draw` one, or `compare` two."""
    if ctx.invoked_subcommand is None:
        session: Session = ctx.obj
        found = session.run(lambda store: versions(store, kind=kind))
        show(as_json, [asdict(one) for one in found], _versions_table(found, session.now_s()), "no version of a saga")


@definitions.command("draw")
@click.argument("version")
@as_one_object
@click.pass_obj
def draw_version(session: Session, version: str, as_json: bool) -> None:
    """Draw the definition whose VERSION begins so, as Mermaid text."""

    async def read(store: OperatorStore) -> str:
        return draw_saga(read_back(await stored_definition(store, version)))

    drawing = session.run(read)
    if as_json:
        say_json({"version": version, "mermaid": drawing}, indent=2)
    else:
        click.echo(drawing, nl=False)


@definitions.command("compare")
@click.argument("old")
@click.argument("new", required=False)
@_catalogue
@as_one_object
@click.pass_obj
def compare(session: Session, old: str, new: str | None, catalogue: str | None, as_json: bool) -> None:
    """What differs between two versions, OLD and NEW; without NEW, between OLD and what this build has."""

    async def read(store: OperatorStore) -> tuple[SagaDefinition, SagaDefinition]:
        one = await stored_definition(store, old)
        return one, _here(one.shape.name, catalogue) if new is None else await stored_definition(store, new)

    one, other = session.run(read)
    shapes, terms = differences(one.shape, other.shape), other_terms(one, other)
    if as_json:
        say_json({"differences": shapes, "other_terms": terms}, indent=2)
        return
    for text in shapes:
        click.echo(text)
    for text in terms:
        click.echo(f"{text} (instances are carried on all the same)")
    if not shapes and not terms:
        click.echo("nothing differs")


@click.command("check")
@click.option("--store", "url", metavar="URL", help="Look for instances in this store that this build cannot carry on.")
@_catalogue
@click.option("--strict", is_flag=True, help="Exit with 1 for warnings as well.")
@click.option("--draw", "draws", is_flag=True, help="Draw the flow of the whole catalogue, as Mermaid text.")
@click.option("--svg", type=_FILE, metavar="FILE", help="Draw it as SVG into this file, which is replaced.")
@as_one_object
@click.pass_obj
def check(
    session: Session, url: str | None, catalogue: str | None, strict: bool, draws: bool, svg: Path | None, as_json: bool
) -> None:
    """Check the catalogue of this build; with --store, name the running sagas that this build cannot carry on, and why.
    It also tells kinds whose names the store knows otherwise.

    Exit codes: 0 all is well, 1 something is wrong, 2 bad input.
    """
    made = session.do(lambda: _fitting(catalogue))
    warnings = findings(made)
    if svg is not None:
        session.do(lambda: _write(svg, picture_of(flow_of(made))))
    found, wrong = ((), ()) if url is None else _look(session, url, made)
    warnings = (*warnings, *(() if url is None else _lost(session, made)))
    if as_json:
        told = {"warnings": warnings, "cannot_carry": [asdict(one) for one in found], "wrong_names": wrong}
        say_json(told | ({"mermaid": draw_flow(made)} if draws else {}), indent=2)
    else:
        for text in wrong:
            click.echo(f"error: {text}", err=True)
        _say(made, warnings, found, draws=draws, store=url, is_well=not found and not wrong)
    if found or wrong or (strict and warnings):
        raise SystemExit(_CANNOT)


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AmendsError(f"the drawing cannot be written to {file}: {error.strerror or error}") from error


def _look(session: Session, url: str, catalogue: Catalogue) -> tuple[Sequence[UncarriedVersion], Sequence[str]]:
    """What cannot go on, and names that the store knows otherwise."""
    session.url = url
    by_kind = {saga.name: saga for saga in catalogue.sagas}
    found = session.run(lambda store: uncarried(store, frozenset(carried(catalogue.behaviours)), by_kind))
    return found, session.run(lambda store: wrong_names(store, catalogue.names, catalogue.kinds))


def _lost(session: Session, catalogue: Catalogue) -> Sequence[str]:
    return session.run(lambda store: lost_kinds(store, catalogue.names, catalogue.kinds))


def _say(
    catalogue: Catalogue,
    warnings: Iterable[str],
    found: Sequence[UncarriedVersion],
    *,
    draws: bool,
    store: str | None,
    is_well: bool,
) -> None:
    for text in warnings:
        click.echo(f"warning: {text}", err=True)
    for one in found:
        many = f"{one.count:,} {'instance' if one.count == 1 else 'instances'}"
        click.echo(printable(f"{one.kind}: {many} of version {one.version} cannot be carried on:").plain)
        for reason in one.reasons:
            click.echo(f"  {printable(reason).plain}")
    if draws:
        click.echo(draw_flow(catalogue), nl=False)
    elif is_well:
        sagas, others = len(catalogue.sagas), len(catalogue.choreographies)
        parts = f"{sagas} saga{'' if sagas == 1 else 's'}, {others} choreograph{'y' if others == 1 else 'ies'}"
        click.echo(f"{parts}: the catalogue fits together" + ("" if store is None else ", and all can be carried on"))


def _named(catalogue: str | None) -> Catalogue:
    return find_catalogue(Path.cwd(), catalogue, or_else="name one with --catalogue")


def _fitting(catalogue: str | None) -> Catalogue:
    """One that does not fit together is what a check is for, and no bad input. Raises AmendsError."""
    try:
        return _named(catalogue)
    except InvalidSettings as error:
        if isinstance(error.__cause__, InvalidDefinition):
            raise InvalidDefinition(str(error)) from error
        raise


def _here(kind: str, catalogue: str | None) -> SagaDefinition:
    found = [saga for saga in _named(catalogue).sagas if saga.name == kind]
    if not found:
        raise AmendsError(f"this build has no saga {kind!r} to compare with; name a second version")
    return described(found[0])


def _versions_table(entries: Iterable[VersionEntry], now_s: float) -> Table:
    table = Table("kind", "version", "first told", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("open", "ended"):
        table.add_column(heading, justify="right")
    for one in entries:
        told = f"{span(now_s - one.kept_at_s)} ago" if one.kept_at_s else "never"
        table.add_row(printable(one.kind), printable(one.version), told, f"{one.open:,}", f"{one.ended:,}")
    return table
