"""Counts bytes in a store in SQLite: what each column takes in the records on disk, and what pages hold beside records.

A record is a header, with the type of each value, and the values (https://sqlite.org/fileformat2.html#record_format).
The header's bytes for a value are counted with its column. So the columns of a row make up all of its record but one
byte, the length of the header. The virtual table `dbstat` tells what records and pages take in all.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import apsw

from bench.bytes import GROUPS, StoreBytes
from runtime.errors import StoreUnavailable
from runtime.store.options import split_options

__all__ = ["sqlite_bytes"]

_TABLES = ("actors", "history")
_HEADER = 1  # Bytes that tell how long a record's header is. No row here has 128 bytes of types.


def sqlite_bytes(url: str, *, order: str, saga: str) -> StoreBytes:
    """`order`, `saga`: kinds of which each order has an actor. Raises StoreUnavailable."""
    path = Path(split_options(url)[0].removeprefix("sqlite:///"))
    if not path.is_file():
        raise StoreUnavailable(f"there is no store {path}; correct its name")
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return _counted(connection, order, saga)


def _counted(connection: apsw.Connection, order: str, saga: str) -> StoreBytes:
    found = StoreBytes()
    (found.orders,) = _row(connection, "select count(*) from actors where kind = ?", order)
    for kind, size in connection.execute(_rows_by_kind(connection, "actors")):
        found.actors[kind] = size
    for group, columns in _groups(connection).items():
        (found.history[group],) = _row(connection, f"select {_total(columns)} from history")
    found.history["row headers"] = _HEADER * _row(connection, "select count(*) from history")[0]
    stat = "select coalesce(sum(payload), 0), coalesce(sum(pgsize), 0) from dbstat where name = ?"
    for index in _indexes(connection):
        payload, size = _row(connection, stat, index)
        found.indexes += payload
        found.pages += size - payload
    for table in _TABLES:
        payload, size = _row(connection, stat, table)
        found.pages += size - payload
    found.saga_rows = sum(
        size for table in _TABLES for kind, size in connection.execute(_rows_by_kind(connection, table)) if kind == saga
    )
    found.saga_indexes = _index_entries(connection, saga)
    return found


def _groups(connection: apsw.Connection) -> dict[str, list[str]]:
    """Columns of the history by group; those that no group names make one of their own."""
    there = _columns(connection, "history")
    groups = {group: [one for one in columns if one in there] for group, columns in GROUPS.items()}
    named = {one for columns in groups.values() for one in columns}
    rest = [one for one in there if one not in named]
    return {**groups, **({"others": rest} if rest else {})}


def _rows_by_kind(connection: apsw.Connection, table: str) -> str:
    total = _total(_columns(connection, table))
    kind = "kind" if table == "actors" else "(select name from names where number = history.kind)"
    return f"select {kind} as named, {total} + {_HEADER} * count(*) from {table} group by named order by named"


def _index_entries(connection: apsw.Connection, kind: str) -> int:
    """Those of the actors of a kind. History has no index: the table is one."""
    size = 0
    for index in _indexes(connection):
        columns = [str(row[0]) for row in connection.execute("select name from pragma_index_info(?)", (index,))]
        text = str(connection.execute("select coalesce(sql, '') from sqlite_schema where name = ?", (index,)).get)
        only = text.rpartition(" where ")[2] if " where " in text else "true"
        entries = f"select {_total([*columns, 'rowid'])} + {_HEADER} * count(*) from actors where kind = ? and {only}"
        size += _row(connection, entries, kind)[0]
    return size


def _indexes(connection: apsw.Connection) -> list[str]:
    return [str(row[0]) for row in connection.execute("select name from pragma_index_list('actors')")]


def _columns(connection: apsw.Connection, table: str) -> list[str]:
    return [str(row[0]) for row in connection.execute("select name from pragma_table_info(?)", (table,))]


def _total(columns: Iterable[str]) -> str:
    return "coalesce(sum(" + " + ".join(map(_taken, columns)) + "), 0)"


def _taken(column: str) -> str:
    """As SQL, the bytes of a value with its type. A real number without a fraction is kept as an integer."""
    whole = f"when {column} in (0, 1) then 1 " + " ".join(
        f"when {column} between {-(1 << bits)} and {(1 << bits) - 1} then {1 + size}"
        for bits, size in ((7, 1), (15, 2), (23, 3), (31, 4), (47, 6))
    )
    length = f"octet_length({column})"
    return f"""case typeof({column})
        when 'null' then 1
        when 'integer' then case {whole} else 9 end
        when 'real' then case when {column} <> cast({column} as integer) then 9 {whole} else 9 end
        else {length} + case when {length} < 58 then 1 when {length} < 8186 then 2 when {length} < 1048570 then 3
            else 4 end
        end"""


def _row(connection: apsw.Connection, sql: str, *parameters: object) -> list[int]:
    return [int(str(value)) for value in connection.execute(sql, parameters).fetchall()[0]]
