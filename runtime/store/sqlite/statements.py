"""Statements over many rows at once: one step of SQLite for a hundred rows, instead of a step for each.

Each step gives the interpreter's lock away and has to win it back from the event loop, which costs more than the
row does. So a commit is a handful of statements however many transitions it holds, and each statement says by its
count of changed rows whether all its rows were as expected.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import apsw

from runtime.store.columns import ACTORS, HISTORY, MAIL
from runtime.store.plan import COMMANDS, HANDLED, INSERTED_ACTORS, POSTED, REMOVED, RESCHEDULED, UPDATED_ACTORS

__all__ = [
    "CONSUME_MAIL",
    "DELETE_MAIL",
    "INSERT_ACTORS",
    "INSERT_HISTORY",
    "INSERT_MAIL",
    "LOAD_ACTORS",
    "RESCHEDULE_MAIL",
    "UPDATE_ACTORS",
    "WAITING_COMMANDS",
    "ManyRows",
]

_EXACT_MAX = 32  # up to here each number of rows has a statement of its own; above, powers of two
_ROWS_MAX = 128  # in one statement


@dataclass(frozen=True, slots=True)
class ManyRows:
    """A statement whose text holds `{rows}` where the values of its rows go, `width` parameters each."""

    text: str
    width: int

    def run(self, connection: apsw.Connection, parameters: list[object]) -> bool:
        """Execute for all rows in a flat list; says whether every row changed one."""
        left = len(parameters) // self.width
        start = 0
        everyone = True
        while left:
            count = _rows_in_next(left)
            end = start + count * self.width
            connection.execute(_sql(self.text, self.width, count), parameters[start:end])
            everyone &= connection.changes() == count
            left -= count
            start = end
        return everyone

    def finds(self, connection: apsw.Connection, parameters: list[object]) -> bool:
        """Query for all rows in a flat list; says whether anything was found."""
        return bool(self.read(connection, list(zip(*[iter(parameters)] * self.width, strict=True))))

    def read(self, connection: apsw.Connection, keys: Sequence[tuple[object, ...]]) -> list[tuple[Any, ...]]:
        """Query for all keys, in no order; the rows found."""
        found: list[tuple[Any, ...]] = []
        start = 0
        while start < len(keys):
            count = _rows_in_next(len(keys) - start)
            parameters = [value for key in keys[start : start + count] for value in key]
            found += connection.execute(_sql(self.text, self.width, count), parameters).fetchall()
            start += count
        return found


def _rows_in_next(left: int) -> int:
    """How many rows the next statement takes: few sizes, so that each stays prepared."""
    if left <= _EXACT_MAX:
        return left
    return int(min(_ROWS_MAX, 1 << (left.bit_length() - 1)))


@cache
def _sql(text: str, width: int, count: int) -> str:
    row = "(" + ", ".join("?" * width) + ")"
    return text.replace("{rows}", ", ".join([row] * count))


LOAD_ACTORS = ManyRows(f"select {ACTORS} from actors where (kind, key) in (values {{rows}})", 2)

# The row is found by its key all the same, and `parked` lies in it before anything that could be long.
CONSUME_MAIL = ManyRows(
    "delete from mail where (kind, shard, key, id) in (values {rows}) and parked = ''", REMOVED.width
)

DELETE_MAIL = ManyRows("delete from mail where (kind, shard, key, id) in (values {rows})", REMOVED.width)

RESCHEDULE_MAIL = ManyRows(
    f"""with wanted ({", ".join(RESCHEDULED.names)}) as (values {{rows}})
    update mail set due_at_s = wanted.due_at_s, attempts = wanted.attempts, parked = wanted.parked,
      parked_at_s = wanted.parked_at_s
    from wanted
    where mail.kind = wanted.kind and mail.shard = wanted.shard and mail.key = wanted.key and mail.id = wanted.id
      and (mail.parked = '' or not wanted.is_turn)""",
    RESCHEDULED.width,
)

INSERT_HISTORY = ManyRows(f"insert into history ({HISTORY}) values {{rows}} on conflict do nothing", HANDLED.width)

INSERT_ACTORS = ManyRows(f"insert into actors ({ACTORS}) values {{rows}} on conflict do nothing", INSERTED_ACTORS.width)

# The compare-and-set: a row that is no longer the expected one is not changed, and the count of changes tells.
UPDATE_ACTORS = ManyRows(
    f"""with wanted ({", ".join(UPDATED_ACTORS.names)}) as (values {{rows}})
    update actors set {", ".join(f"{name} = wanted.{name}" for name in ACTORS.names if name not in ("kind", "key"))}
    from wanted
    where actors.kind = wanted.kind and actors.key = wanted.key
      and actors.revision = wanted.was_revision and actors.last_id = wanted.was_last_id""",
    UPDATED_ACTORS.width,
)

# By the index of commands that wait.
WAITING_COMMANDS = ManyRows(
    "select 1 from mail where sequence = 0 and (conversation, id) in (values {rows})", COMMANDS.width
)

# What was handled must not come back, so each row looks into the history first. That is one more seek in a tree whose
# end is in memory (some 3 us), and saves a second statement that looks for duplicates of posts.
INSERT_MAIL = ManyRows(
    f"""with wanted ({MAIL}) as (values {{rows}})
    insert into mail ({MAIL}) select * from wanted where not exists (
      select 1 from history where history.conversation = wanted.conversation and history.id = wanted.id
    ) on conflict do nothing""",
    POSTED.width,
)
