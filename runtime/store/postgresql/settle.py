"""What became of a commit of unknown outcome, asked in a way that makes the answer final.

    raise the generation ──▶ the old statement held the row: this waits until it has ended, one way or the other
                         ──▶ it had not locked the row yet: it finds another generation, and undoes itself
    look                 ──▶ what is missing now can never be written by that attempt any more

The old session may still run on the server, or on a pooler, whose sessions nobody can name. So no session is ended:
the row decides. The wait is bounded by `lock_timeout`, and the old statement by `statement_timeout`; after the first
of the two the question is asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.store.groups import Unit
from runtime.store.plan import Slot
from runtime.store.postgresql.commit import Fence
from runtime.store.postgresql.rows import actor_row, history_row
from runtime.store.postgresql.statements import named_statements
from runtime.store.postgresql.text import given, kept
from runtime.store.settlement import Found, Traces, Waits, was_written

__all__ = ["settle"]


async def settle(connection: Any, batch: Sequence[Unit], fence: Fence) -> list[bool]:
    """For each unit, whether it was written."""
    sql = named_statements()
    fence.generation = await connection.fetchval(sql["outrun"], fence.name, fence.generation + 1)
    fence.stale = False
    traces = Traces.of(batch)
    actors = await connection.fetch(
        sql["load"], [kept(kind) for kind, _ in traces.actors], [kept(key) for _, key in traces.actors]
    )
    handled = await connection.fetch(sql["handled"], *_columns(traces.handled, 2))
    rows_handled = [history_row(row) for row in handled]
    rows_of_actors = [actor_row(row) for row in actors]
    found = Found(
        handled={(row.conversation, row.id): row for row in rows_handled},
        waiting=await _waiting(connection, traces.waiting),
        actors={row.address: row for row in rows_of_actors},
    )
    return [was_written(unit, found) for unit in batch]


async def _waiting(connection: Any, slots: Sequence[Slot]) -> dict[Slot, Waits]:
    wanted = [(kept(kind), shard, kept(key), id) for kind, shard, key, id in slots]
    rows = await connection.fetch(named_statements()["find_mail"], *_columns(wanted, 4))
    return {
        (given(kind), shard, given(key), id): (due_at_s, attempts, given(parked))
        for kind, shard, key, id, due_at_s, attempts, parked in rows
    }


def _columns(rows: Sequence[tuple[object, ...]], width: int) -> list[list[object]]:
    return [[row[place] for row in rows] for place in range(width)]
