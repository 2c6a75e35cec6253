"""`top`: how all sagas stand, live, for people without a browser: what the overview of the page tells."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import click
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runtime.admin import tables
from runtime.admin.arguments import as_one_object
from runtime.admin.session import Session
from runtime.admin.showing import show
from runtime.admin.watching import EVERY_S, watch
from runtime.operate.overview import sentence
from runtime.operate.spans import span
from runtime.operate.standing import COUNTED_MAX, StoreStanding, many, standing_of
from runtime.operate.survey import SagaPage, Wanted, nodes_of, sagas
from runtime.store.port import OperatorStore
from runtime.store.records import ClusterView
from runtime.store.tallies import Tally

__all__ = ["top"]

_NOT_ENDED = ("running", "compensating", "stuck", "suspended")


@dataclass(frozen=True, slots=True)
class _Overview:
    view: ClusterView
    standing: StoreStanding
    oldest: SagaPage


@click.command("top")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(min=0.2),
    default=EVERY_S,
    show_default=True,
    metavar="SECONDS",
    help="How often the store is read.",
)
@click.option("--rows", type=click.IntRange(1, 200), default=15, show_default=True, help="Sagas at most.")
@as_one_object
@click.pass_obj
def top(session: Session, every_s: float, rows: int, as_json: bool) -> None:
    """How all sagas stand, live: one sentence, counts, those without progress for longest, and the nodes.

    q and Ctrl-C end it. As JSON, and where the output is no terminal, it is printed once.
    """

    async def read(store: OperatorStore) -> _Overview:
        oldest = await sagas(store, Wanted(statuses=_NOT_ENDED), limit=rows)
        return _Overview(await store.cluster(), await standing_of(store), oldest)

    def draw() -> None:
        told = session.run(read)
        show(as_json, _as_object(told), _view(told, session.now_s()))

    if sys.stdout.isatty() and not as_json:
        watch(session, draw, every_s)
    else:
        draw()


def _as_object(told: _Overview) -> dict[str, object]:
    standing = told.standing
    counts = {
        "owed": standing.owed,
        "unknown": standing.unknown,
        "dead_letters": standing.letters,
        "mail": standing.mail,
    }
    return {
        "sentence": sentence(standing, told.view),
        "now_s": standing.now_s,
        "sagas": [{"status": status, **asdict(tally)} for status, tally in standing.sagas],
        **{name: [asdict(one) for one in tallies] for name, tallies in counts.items()},
        "oldest": [asdict(one) for one in told.oldest.entries],
    }


def _view(told: _Overview, now_s: float) -> RenderableType:
    parts: list[RenderableType] = [Text(sentence(told.standing, told.view), style="bold"), _counts(told.standing)]
    if told.oldest.entries:
        parts += [Text("\nWithout progress for longest"), tables.sagas_table(told.oldest.entries, now_s)]
    if told.view.nodes:
        parts += [Text("\nNodes"), tables.nodes_table(nodes_of(told.view))]
    return Group(*parts)


def _counts(standing: StoreStanding) -> Table:
    def of(*statuses: str) -> list[Tally]:
        return [tally for status, tally in standing.sagas if status in statuses]

    rows: tuple[tuple[str, Iterable[Tally], str], ...] = (
        ("undo owed", standing.owed, "red"),
        ("outcome unknown", standing.unknown, "red"),
        ("stuck", of("stuck"), "red"),
        ("turning back", of("compensating"), "yellow"),
        ("going forward", of("running"), ""),
        ("suspended", of("suspended"), ""),
        ("dead letters", standing.letters, "red"),
        ("mail that waits", standing.mail, ""),
    )
    table = Table("", "how many", "the oldest for", box=box.SIMPLE_HEAD)
    for name, tallies, style in rows:
        count, at_s = many(tallies)
        more = "over " if any(one.count >= COUNTED_MAX for one in tallies) else ""
        oldest = "" if at_s is None else span(standing.now_s - at_s)
        table.add_row(name, Text(f"{more}{count:,}", style=style if count else ""), oldest)
    return table
