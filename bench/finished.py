"""Copies of finished orders in a store of either engine, made by its own statements: as many as a bench wants.

async with copies_in("postgresql://...") as copies:
    await copies.take("first-")          # these orders are the pattern
    await copies.add(range(1, 10))       # nine more of each, under other keys and ids
    await copies.settle()                # as after a night: nothing of the work is left to do

No node may run meanwhile. What an order's actors and messages say of each other still names the pattern.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import apsw

__all__ = ["Copies", "copies_in"]

_TABLES = ("actors", "history")
_IDS = ("conversation", "id", "last_id")
_ID_BYTES, _KEPT_BYTES = 16, 12  # The rest of an id tells the copies of one order apart.
_OF_ACTORS = "key like $1 || '%'"
_OF_HISTORY = "conversation in (select conversation from pattern_actors)"
_WITHIN_S = 3600.0


class Copies(Protocol):
    async def take(self, prefix: str) -> None:
        """Remember the orders whose keys begin so, and all messages of theirs."""
        ...

    async def add(self, numbers: Iterable[int]) -> None:
        """A copy of each of them for every number, none of which was given before."""
        ...

    async def settle(self) -> None:
        """Have the engine do what it would do in time: statistics, vacuum, and what its log holds."""
        ...

    async def size_bytes(self) -> int:
        """What the store takes on its disk, indexes included."""
        ...


@asynccontextmanager
async def copies_in(url: str) -> AsyncIterator[Copies]:
    """Of the store that this URL names, sqlite:///PATH or postgresql://..."""
    if url.startswith("sqlite:"):
        connection = apsw.Connection(url.removeprefix("sqlite:///"), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            yield _InSqlite(connection)
        finally:
            connection.close()
    else:
        import asyncpg  # of an extra

        database = await asyncpg.connect(url, command_timeout=_WITHIN_S)
        try:
            yield _InPostgresql(database)
        finally:
            await database.close()


def _copy(table: str, columns: Iterable[str], blob: str) -> str:
    """The statement that writes one copy; $1 are the last bytes of its ids, and $2 the end of its keys."""

    def value(column: str) -> str:
        if column in _IDS:
            return blob.format(f"substr({column}, 1, {_KEPT_BYTES}) || $1")
        return f"{column} || $2" if column == "key" else column

    columns = list(columns)
    values = ", ".join(map(value, columns))
    return f"insert into {table} ({', '.join(columns)}) select {values} from pattern_{table}"


def _ending(number: int) -> tuple[bytes, str]:
    return number.to_bytes(_ID_BYTES - _KEPT_BYTES, "big"), f".{number}"


class _InSqlite:
    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    async def take(self, prefix: str) -> None:
        self._connection.execute("pragma temp_store = memory")
        self._connection.execute(
            f"create temp table pattern_actors as select * from actors where {_OF_ACTORS.replace('$1', '?1')}",
            (prefix,),
        )
        self._connection.execute(f"create temp table pattern_history as select * from history where {_OF_HISTORY}")

    async def add(self, numbers: Iterable[int]) -> None:
        statements = []
        for table in _TABLES:
            columns = [row[1] for row in self._connection.execute(f"pragma table_info({table})")]
            statements.append(_copy(table, columns, "cast({} as blob)").replace("$", "?"))
        for number in numbers:
            with self._connection:
                for statement in statements:
                    self._connection.execute(statement, _ending(number))

    async def settle(self) -> None:
        self._connection.execute("analyze")
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    async def size_bytes(self) -> int:
        (pages,), (page_bytes,) = (
            next(self._connection.execute(f"pragma {one}")) for one in ("page_count", "page_size")
        )
        return int(pages) * int(page_bytes)


class _InPostgresql:
    def __init__(self, database: Any) -> None:
        self._database = database

    async def take(self, prefix: str) -> None:
        await self._database.execute("create temp table pattern_actors as select * from actors limit 0")
        await self._database.execute(f"insert into pattern_actors select * from actors where {_OF_ACTORS}", prefix)
        await self._database.execute(f"create temp table pattern_history as select * from history where {_OF_HISTORY}")

    async def add(self, numbers: Iterable[int]) -> None:
        statements = []
        for table in _TABLES:
            named = "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped"
            columns = [row["attname"] for row in await self._database.fetch(named, table)]
            statements.append(_copy(table, columns, "{}"))
        for number in numbers:
            ending, key = _ending(number)
            async with self._database.transaction():
                for statement in statements:
                    await self._database.execute(
                        statement.replace("$1", "$1::bytea").replace("$2", "$2::text"), ending, key
                    )

    async def settle(self) -> None:
        for what in ("vacuum (analyze)", "checkpoint"):
            await self._database.execute(what)

    async def size_bytes(self) -> int:
        sizes = [await self._database.fetchval("select pg_total_relation_size($1::regclass)", one) for one in _TABLES]
        return sum(sizes)
