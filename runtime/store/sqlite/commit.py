"""Writes a plan inside a transaction that someone else begins and ends, and looks up what became of one.

CommitPlan.of(batch)          on the event loop, before any lock is held: rows flattened into parameters
write(connection, plan, names) on the writer's thread: all at once, in a few statements
  └─ a count is off ──▶ undone, and the parts are tried under savepoints, as `Attempts` says
"""

from __future__ import annotations

import apsw

from runtime.store.plan import Attempts, CommitPlan
from runtime.store.records import Verdict
from runtime.store.settlement import Found, Traces
from runtime.store.sqlite.names import NameNumbers
from runtime.store.sqlite.queries import named_queries
from runtime.store.sqlite.rows import actor_row, history_row
from runtime.store.sqlite.statements import (
    CONSUME_MAIL,
    DELETE_MAIL,
    INSERT_ACTORS,
    INSERT_HISTORY,
    INSERT_MAIL,
    LOAD_ACTORS,
    RESCHEDULE_MAIL,
    UPDATE_ACTORS,
    WAITING_COMMANDS,
)

__all__ = ["look_up", "write"]


def write(connection: apsw.Connection, plan: CommitPlan, names: NameNumbers) -> list[Verdict]:
    """Write what can be written; one verdict per transition. Needs a transaction just begun, and leaves it open."""
    names.begin(connection)
    attempts = Attempts(plan)
    while (part := attempts.next()) is not None:
        attempts.tell((_write_whole if part is plan else _write_part)(connection, part, names))
    return attempts.verdicts


def _write_whole(connection: apsw.Connection, plan: CommitPlan, names: NameNumbers) -> Verdict:
    """The first try, without a savepoint: one makes SQLite keep a copy of every page touched, in a file of its own."""
    verdict = _verdict(connection, plan, names)
    if verdict is not Verdict.COMMITTED:
        connection.execute("rollback")
        connection.execute("begin immediate")
    return verdict


def _write_part(connection: apsw.Connection, plan: CommitPlan, names: NameNumbers) -> Verdict:
    """Part of a batch: what must not be written is taken back without its neighbours."""
    connection.execute("savepoint part")
    verdict = _verdict(connection, plan, names)
    if verdict is not Verdict.COMMITTED:
        connection.execute("rollback to part")
    connection.execute("release part")
    return verdict


def _verdict(connection: apsw.Connection, plan: CommitPlan, names: NameNumbers) -> Verdict:
    """Write everything; COMMITTED if all of it was as expected. For one transition it says what was not."""
    if not (UPDATE_ACTORS.run(connection, plan.updated) and INSERT_ACTORS.run(connection, plan.inserted)):
        return Verdict.CONFLICT
    if not (CONSUME_MAIL.run(connection, plan.consumed) and DELETE_MAIL.run(connection, plan.given_up)):
        return Verdict.MAIL_MISSING
    if not RESCHEDULE_MAIL.run(connection, plan.rescheduled):
        return Verdict.MAIL_MISSING
    if not INSERT_HISTORY.run(connection, names.numbered(connection, plan.history)):
        return Verdict.MAIL_MISSING
    if plan.commands and WAITING_COMMANDS.finds(connection, plan.commands):
        return Verdict.DUPLICATE
    # Mail that is passed over is as it should be, unless a post wants to know.
    if not INSERT_MAIL.run(connection, plan.mail) and plan.checks_duplicates:
        return Verdict.DUPLICATE
    return Verdict.COMMITTED


def look_up(connection: apsw.Connection, traces: Traces) -> Found:
    """The rows that tell what became of a batch."""
    sql = named_queries()
    handled = ((key, connection.execute(sql["handled"], key).fetchone()) for key in traces.handled)
    waiting = ((slot, connection.execute(sql["find_mail"], slot).fetchone()) for slot in traces.waiting)
    actors = (actor_row(*row) for row in LOAD_ACTORS.read(connection, traces.actors))
    return Found(
        {key: history_row(*row) for key, row in handled if row is not None},
        {slot: row for slot, row in waiting if row is not None},
        {row.address: row for row in actors},
    )
