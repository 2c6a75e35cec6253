"""One actor, as `explain` shows it in a terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runtime.admin.tables import due, printable, table_of
from runtime.observe.plain import as_line
from runtime.operate.account import Account
from runtime.operate.spans import span
from runtime.protos import saga_pb2
from runtime.saga.view import status_name

__all__ = ["account_view"]


def account_view(account: Account, now_s: float) -> RenderableType:
    """One actor: what it is, what it waits for, its state, its steps and its timers."""
    heading = printable(account.address)
    heading.stylize("bold")
    parts: list[RenderableType] = [heading, _facts(account, now_s)]
    if account.steps:
        parts.append(_steps_table(account, now_s))
    if account.timers:
        timers = table_of("timer", "for", "due", "message", ">attempts")
        for timer in account.timers:
            cells = printable(timer.name), printable(timer.purpose), due(timer.due_at_s, now_s), printable(timer.type)
            timers.add_row(*cells, str(timer.attempts))
        parts.append(timers)
    return Group(*parts, Text(""))


def _facts(account: Account, now_s: float) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for line in account.waits_for:
        table.add_row("waits for", printable(line))
    row, saga = account.row, account.saga
    told = (("holds", account.keys), ("locks", account.locks), ("owes", account.owed), ("repaired", account.repaired))
    for heading, lines in (*told, ("can be done", account.can_do)):
        for line in lines:
            table.add_row(heading, printable(line))
    if row is None:
        table.add_row("revision", "none: it has not handled a message yet")
    else:
        revision, at_s = row.revision, row.updated_at_s
        if saga is not None:  # Of a saga, those of its process: its acts expect that revision.
            revision, at_s = saga.revision, saga.last_progress_at_s or at_s
        table.add_row("revision", f"{revision}, {span(now_s - at_s)} ago")
    if saga is not None:
        table.add_row("saga", Text(_saga_line(saga)))
    if account.has_not_begun:
        table.add_row("saga", "has not begun: no message of it was handled with success yet")
    elif row is not None:
        table.add_row("state", printable(_state_line(account, row.state)))
    owner = account.owner or "nobody"
    alive = "" if account.owner_alive or not account.owner else " (no lease)"
    table.add_row("shard", printable(f"{account.shard}, owned by {owner}{alive}"))
    return table


def _saga_line(saga: saga_pb2.SagaRecord) -> str:
    words = [f"{saga.definition}: {status_name(saga)}"]
    words.append("past its pivot" if saga.pivot_passed else "before its pivot")
    if saga.suspended:
        words.append(f"suspended, with {len(saga.held)} answers and timers kept")
    if saga.reason:
        words.append(f"turned back: {saga.reason}")
    return printable(", ".join(words)).plain


def _state_line(account: Account, state: bytes) -> str:
    if account.state is not None:
        return f"{account.state.DESCRIPTOR.full_name} {{{as_line(account.state)}}}"
    return f"{len(state)} bytes: {account.unreadable}"


def _steps_table(account: Account, now_s: float) -> Table:
    table = table_of("step", "status", "at", ">asked", ">undos", "last", "outcome", "error")
    for step in account.steps:
        table.add_row(
            printable(step.name),
            step.status,
            printable(step.address),
            str(step.attempts),
            str(step.undo_attempts),
            f"{span(now_s - step.asked_at_s)} ago" if step.asked_at_s else "",
            printable(step.outcome),
            printable(step.error),
        )
    return table
