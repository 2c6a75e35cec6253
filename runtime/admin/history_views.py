"""How the history of a saga instance looks on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from runtime.admin.tables import printable
from runtime.contracts import Contracts
from runtime.observe.plain import as_line
from runtime.operate.differences import differences
from runtime.operate.history import HistoryEntry, InstanceHistory
from runtime.operate.history_objects import fate_of
from runtime.saga.view import status_name

__all__ = ["differences_table", "history_view"]


def history_view(contracts: Contracts, history: InstanceHistory) -> Iterator[RenderableType]:
    said = f"{history.address} is {status_name(history.record)}, revision {history.record.revision}"
    yield printable(f"{said}, {len(history.entries)} messages")
    for entry in history.entries:
        row = entry.row
        at = datetime.fromtimestamp(row.handled_at_s, UTC).isoformat(sep=" ", timespec="milliseconds")
        sender = f" from {row.sender}" if row.sender and row.sender != history.address else ""
        title = f"{entry.number}. {entry.came}{sender}, {row.outcome} at {at} by {row.node.partition('@')[0]}"
        yield printable(title if entry.revision is None else f"{title}, revision {entry.revision}")
        for name, text in _lines(contracts, entry):
            yield Text(f"     {name:8}").append_text(printable(text))
    if history.untold:
        yield printable(f"States are told so far: {history.untold}")


def _lines(contracts: Contracts, entry: HistoryEntry) -> Iterator[tuple[str, str]]:
    if entry.message is not None and entry.message.ByteSize():
        yield "said", as_line(entry.message)
    if entry.row.attempts > 1 or entry.row.error:
        yield "runs", f"{entry.row.attempts}" + (f", {entry.row.error}" if entry.row.error else "")
    if entry.replayed is not None:
        for change in differences(contracts, entry.replayed.before, entry.replayed.after):
            yield "changed", str(change)
    for one in entry.sent:
        yield "sent", f"{one.short_type} to {one.to}: {fate_of(one)}"
    for timer in entry.timers:
        yield "timer", timer


def differences_table(rows: Iterable[Mapping[str, str]]) -> Table:
    table = Table("what", "before", "after", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(printable(row["what"]), printable(row["before"]), printable(row["after"]))
    return table
