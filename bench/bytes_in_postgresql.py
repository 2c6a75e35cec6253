"""Counts bytes in a store in PostgreSQL: what each column and row takes, and what relations take in all."""

from __future__ import annotations

from typing import Any

from bench.bytes import GROUPS, StoreBytes
from runtime.store.postgresql.connection import SessionLimits, connect
from runtime.store.postgresql.target import PostgresqlTarget

__all__ = ["postgresql_bytes"]

_LIMITS = SessionLimits("bench", statement_s=300.0, read_only=True)

_ROWS = "select kind, count(*), sum(pg_column_size({table}.*)) from {table} group by kind order by kind"
_INDEXES = """select indexrelid::regclass::text as name, pg_relation_size(indexrelid) as size
from pg_index where indrelid = $1::text::regclass"""


async def postgresql_bytes(url: str, *, order: str, saga: str) -> StoreBytes:
    """`order`, `saga`: kinds of which each order has an actor. Raises StoreError."""
    connection, _ = await connect(PostgresqlTarget.of(url), _LIMITS)
    try:
        return await _counted(connection, order, saga)
    finally:
        await connection.close()


async def _counted(connection: Any, order: str, saga: str) -> StoreBytes:
    found = StoreBytes(orders=await connection.fetchval("select count(*) from actors where kind = $1", order))
    for table in ("actors", "history"):
        rows = await connection.fetch(_ROWS.format(table=table))
        indexes = await connection.fetch(_INDEXES, table)
        size, all_rows = sum(row["sum"] for row in rows), sum(row["count"] for row in rows)
        of_saga = next((row for row in rows if row["kind"] == saga), {"count": 0, "sum": 0})
        if table == "actors":
            found.actors = {row["kind"]: row["sum"] for row in rows}
        else:
            found.history = await _groups(connection, size)
        of_indexes = sum(row["size"] for row in indexes)
        found.indexes += of_indexes
        found.pages += await connection.fetchval("select pg_total_relation_size($1::text)", table) - of_indexes - size
        found.saga_rows += of_saga["sum"]
        # Only sagas tell something of themselves, so the index of that is theirs. Of the others they have their share.
        own = sum(row["size"] for row in indexes if "summary" in row["name"])
        found.saga_indexes += own + (of_indexes - own) * of_saga["count"] // max(all_rows, 1)
    return found


async def _groups(connection: Any, size: int) -> dict[str, int]:
    found = {}
    for group, columns in GROUPS.items():
        total = " + ".join(f"pg_column_size({column})" for column in columns)
        found[group] = int(await connection.fetchval(f"select coalesce(sum({total}), 0) from history"))
    return {**found, "row headers": size - sum(found.values())}
