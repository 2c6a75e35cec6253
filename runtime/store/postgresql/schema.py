"""Makes the tables in an empty schema, brings older ones up to date, and refuses what is not ours.

The version of a store is the number of steps it has been through, as `meta` says. Each step runs in one transaction
with the new number. Nodes that start at once may all run the first step: the server lets one of them make the table
`meta`, the others wait for it, are refused, and look again. A later step locks the number first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import asyncpg

from runtime.errors import StoreCorrupt, StoreTooNew, StoreUnavailable
from runtime.store.marks import Marks, check_whole_copy
from runtime.store.postgresql.statements import columns_of_tables, named_statements
from runtime.store.postgresql.target import PostgresqlTarget

__all__ = ["identify", "prepare"]

_TRIES_MAX = 10
_OTHERS_WERE_FIRST = ("23505", "42P07", "42P06", "42723", "40P01", "40001", "XX000")  # or at the same time


async def identify(connection: Any, target: PostgresqlTarget, steps: Sequence[str]) -> Marks:
    """The marks, without writing. Raises StoreCorrupt, StoreTooNew, StoreUnavailable."""
    version = await _version(connection, target)
    if version == 0:
        raise StoreUnavailable(f"{target.at} has no store; start a node with it first, or correct its name")
    _check_version(version, target, steps)
    if version < len(steps):
        raise StoreUnavailable(f"{target.at} was written by an older version of Amends; start a node with it first")
    return await _marks(connection, target)


async def prepare(
    connection: Any, target: PostgresqlTarget, steps: Sequence[str], new_id: Callable[[], bytes], *, create: bool
) -> Marks:
    """Bring the schema up to date; gives the marks. Raises StoreCorrupt, StoreTooNew, StoreUnavailable."""
    for _ in range(_TRIES_MAX):
        version = await _version(connection, target)
        if version == 0 and not create:
            raise StoreUnavailable(f"{target.at} has no store; start a node with it first, or correct its name")
        _check_version(version, target, steps)
        if version == len(steps):
            return await _marks(connection, target)
        try:
            if version == 0 and await connection.fetchval(named_statements()["schema_in_use"]) is None:
                await connection.execute(f"create schema {target.quoted_schema}")
            await _migrate(connection, steps[version], version + 1, new_id)
        except asyncpg.PostgresError as error:
            if getattr(error, "sqlstate", "") not in _OTHERS_WERE_FIRST:
                raise
    raise StoreUnavailable(f"{target.at} could not be prepared, as others change its tables; try again later")


async def _migrate(connection: Any, step: str, number: int, new_id: Callable[[], bytes]) -> None:
    async with connection.transaction(isolation="read_committed"):
        if number > 1:
            was = await connection.fetchval(named_statements()["lock_schema"])
            if int(was) != number - 1:
                return
        await connection.execute(step)
        values = {"schema": str(number)}
        if number == 1:
            values |= {"cluster_id": new_id().hex(), "cluster_secret": (new_id() + new_id()).hex()}
        for name, value in values.items():
            await connection.execute(named_statements()["put_mark"], name, value)


def _check_version(version: int, target: PostgresqlTarget, steps: Sequence[str]) -> None:
    if version > len(steps):
        raise StoreTooNew(
            f"{target.at} was written by a newer version of Amends (schema {version}, this one knows {len(steps)}); "
            "upgrade this node"
        )


async def _version(connection: Any, target: PostgresqlTarget) -> int:
    tables = {row["table_name"] for row in await connection.fetch(named_statements()["columns"])}
    if "meta" not in tables:
        if tables.intersection(columns_of_tables()):
            raise StoreCorrupt(
                f"{target.at} has tables of another program; name a database or a schema of its own, as in ?schema=NAME"
            )
        return 0
    version = str(await connection.fetchval(named_statements()["schema"]))
    if not (version.isascii() and version.isdecimal() and int(version) > 0):
        raise StoreCorrupt(f"{target.at} lacks the number of its schema; stop all nodes and restore it from a backup")
    return int(version)


async def _marks(connection: Any, target: PostgresqlTarget) -> Marks:
    found = {(table, column) for table, column in await connection.fetch(named_statements()["columns"])}
    for table, columns in columns_of_tables().items():
        if not any(one == table for one, _ in found):
            raise StoreCorrupt(f"{target.at} lacks the table {table}; stop all nodes and restore it from a backup")
        for column in columns:
            if (table, column) not in found:
                raise StoreCorrupt(
                    f"{target.at} lacks the column {column} of {table}; stop all nodes and restore it from a backup"
                )
    values = dict(await connection.fetch(named_statements()["marks"]))
    if not (values.get("cluster_id") and values.get("cluster_secret")):
        raise StoreCorrupt(f"{target.at} lacks its cluster_id; stop all nodes and restore it from a backup")
    check_whole_copy(values, target.at)
    return Marks(values["cluster_id"], values["cluster_secret"])
