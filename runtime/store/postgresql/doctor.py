"""Examines a server: its version and settings, what holds back vacuum, standbys, the log, and mail that waits.

examine ──each statement of postgresql_doctor.sql──▶ found, is_wrong ──▶ StoreFinding, with its cure
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import asyncpg

from runtime.store.finding import (
    MAIL_MANY,
    MAIL_OLD_S,
    MUCH_MAIL_CURE,
    OLD_MAIL_CURE,
    REFUSALS_CURE,
    StoreFinding,
)
from runtime.store.postgresql.connection import PLANS, SessionLimits, connect
from runtime.store.postgresql.errors import translate
from runtime.store.postgresql.statements import named_statements
from runtime.store.postgresql.target import PostgresqlTarget

__all__ = ["examine"]

_RIGHTS = ("42501", "55000")  # a right is missing, or a standby was asked what only a primary knows

_CURES: Mapping[str, str] = MappingProxyType(
    {
        "version": "upgrade the server to PostgreSQL 15 or later",
        "durability": "set fsync, full_page_writes and synchronous_commit to on: a power cut loses what was confirmed",
        "plans": "set them for the role by ALTER ROLE ... SET: commits become slower with every row",
        "clock": "set the clocks of both machines right, by NTP",
        "connections": "raise max_connections, or lower the limits of roles; a lease that finds none may be lost",
        "autovacuum": "set autovacuum to on: dead rows pile up, and every read becomes slower",
        "oldest transaction": "end it by pg_terminate_backend, if it is none of a backup; let reports read a standby",
        "transaction ids": "run VACUUM FREEZE in this database, and see what holds autovacuum back",
        "standbys": "see why the standby is slow or cut off; at a promotion it lacks what it has not replayed",
        "slots": "drop the slot by pg_drop_replication_slot if its standby is gone: it fills the disk with log",
        "log size": "see the slots, and whether archive_command fails: the log is kept for one of them",
        "dead rows": "run VACUUM on the table; see the oldest transaction, which may hold autovacuum back",
        "oldest mail": OLD_MAIL_CURE,
        "waiting mail": MUCH_MAIL_CURE,
        "refused commands": REFUSALS_CURE,
    }
)


async def examine(target: PostgresqlTarget, now_s: float) -> list[StoreFinding]:
    """Every check, in a fixed order. Raises StoreError if the server cannot be asked at all."""
    connection, _ = await connect(target, SessionLimits("doctor", read_only=True))
    try:
        values = {
            "plans": (list(PLANS), list(PLANS.values())),
            "clock": (now_s,),
            "oldest mail": (MAIL_OLD_S,),
            "waiting mail": (MAIL_MANY,),
        }
        return [await _check(connection, target, check, values.get(check, ())) for check in _CURES]
    finally:
        await connection.close()


async def _check(connection: Any, target: PostgresqlTarget, check: str, values: tuple[object, ...]) -> StoreFinding:
    statement = named_statements()[f"doctor_{check.replace(' ', '_')}"]
    try:
        found, is_wrong = await connection.fetchrow(statement, *values)
    except asyncpg.PostgresError as error:
        if getattr(error, "sqlstate", "") not in _RIGHTS:
            raise translate(error, target.at) from error
        return StoreFinding(check, f"not known: {error}; a role with pg_monitor on a primary can tell")
    return StoreFinding(check, str(found), _CURES[check] if is_wrong else "")
