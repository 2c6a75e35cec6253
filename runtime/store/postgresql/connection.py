"""Connections to the server: how they are set up, and what the server must be like.

A plan that was made while the tables were empty scans and hashes, and its cost grows with the square of a batch. So
every session pins its plans to indexes. What a session waits for is bounded, by the server and by the client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import asyncpg

from runtime.errors import StoreError, StoreReadOnly, StoreReplaced, StoreUnavailable
from runtime.store.postgresql.errors import FOREIGN, translate
from runtime.store.postgresql.statements import named_statements
from runtime.store.postgresql.target import SYNCHRONOUS_COMMITS, PostgresqlTarget

__all__ = ["PLANS", "SessionLimits", "check_cluster", "connect"]

_VERSION_MIN = 15
_CONNECT_S = 5.0

PLANS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_memoize": "off",
    "jit": "off",
}
"""Settings that pin plans to indexes. A pooler hands out sessions without them, so there the role must have them."""


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What a kind of connection may take. The client gives up a little later than the server does."""

    name: str
    statement_s: float = 10.0
    read_only: bool = False

    @property
    def answer_s(self) -> float:
        return self.statement_s + 2.0

    def settings(self, target: PostgresqlTarget) -> dict[str, str]:
        found = {
            "application_name": f"amends {self.name}",
            "statement_timeout": _ms(self.statement_s),
            "lock_timeout": _ms(self.statement_s / 2),
            "idle_in_transaction_session_timeout": _ms(self.statement_s),
            "client_connection_check_interval": _ms(self.statement_s / 2),
            "default_transaction_isolation": "read committed",
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
            "tcp_user_timeout": _ms(25.0),
            **PLANS,
        }
        if target.settings.synchronous_commit:
            found["synchronous_commit"] = target.settings.synchronous_commit
        if target.settings.schema:
            found["search_path"] = target.quoted_schema
        if self.read_only:
            found["default_transaction_read_only"] = "on"
        return found


async def connect(target: PostgresqlTarget, session: SessionLimits) -> tuple[Any, int]:
    """A connection, and the timeline of its server, 0 for a standby.

    Raises StoreError when the server is not as it must be.
    """
    settings = None if target.through_pooler else session.settings(target)
    try:
        connection = await asyncpg.connect(
            target.dsn,
            timeout=_CONNECT_S,
            command_timeout=session.answer_s,
            statement_cache_size=0 if target.through_pooler else 100,
            server_settings=settings,
        )
    except (*FOREIGN, ValueError) as error:
        raise translate(error, target.at) from error
    try:
        return connection, await _check(connection, target, session)
    except BaseException as error:
        connection.terminate()
        if isinstance(error, FOREIGN):
            raise translate(error, target.at) from error
        raise


async def check_cluster(connection: Any, target: PostgresqlTarget, cluster_id: str) -> None:
    """Raises StoreReplaced when the URL has come to lead to another store than the one that was opened."""
    if not cluster_id:
        return
    try:
        found = await connection.fetchval(named_statements()["cluster_id"])
    except asyncpg.UndefinedTableError:
        found = None
    except FOREIGN as error:
        raise translate(error, target.at) from error
    if found != cluster_id:
        raise StoreReplaced(
            f"{target.at} is another store than the one that was opened ({found or 'none'}, not {cluster_id}); "
            "start the node anew if it is the right one, or correct where its name leads"
        )


async def _check(connection: Any, target: PostgresqlTarget, session: SessionLimits) -> int:
    server = dict(await connection.fetchrow(named_statements()["server"]))
    for is_wrong, refusal in _refusals(server, target, session):
        if is_wrong:
            raise refusal
    if target.through_pooler:
        await _check_role(connection, target, server["schema"])
    return int(server["timeline"], 16)


def _refusals(
    server: dict[str, Any], target: PostgresqlTarget, session: SessionLimits
) -> list[tuple[bool, StoreError]]:
    at, version, found = target.at, server["version"] // 10_000, server["synchronous_commit"]
    weakest = target.weakest_commit
    read_only = "is a standby" if server["is_standby"] else "is read-only"
    return [
        (version < _VERSION_MIN, StoreUnavailable(f"{at} is PostgreSQL {version}; use {_VERSION_MIN} or later")),
        (
            server["encoding"] != "UTF8",
            StoreUnavailable(
                f"{at} has the encoding {server['encoding']}; make a database with ENCODING 'UTF8' TEMPLATE template0"
            ),
        ),
        (
            (server["is_standby"] or server["is_read_only"] == "on") and not session.read_only,
            StoreReadOnly(
                f"{at} {read_only}; name the primary, or all servers in one URL with target_session_attrs=read-write"
            ),
        ),
        (
            "off" in (server["fsync"], server["full_page_writes"]),
            StoreUnavailable(
                f"{at} would lose commits in a power cut; set fsync and full_page_writes to on in postgresql.conf"
            ),
        ),
        (
            SYNCHRONOUS_COMMITS.index(found) < SYNCHRONOUS_COMMITS.index(weakest),
            StoreUnavailable(
                f"{at} has synchronous_commit={found}, weaker than {weakest}; set it on the server or the role, "
                f"or say synchronous_commit={weakest} in the URL"
            ),
        ),
        (
            server["schema"] is None and not target.settings.schema,
            StoreUnavailable(
                f"{at} has no schema that the user may use; make it with CREATE SCHEMA, or grant USAGE on it"
            ),
        ),
    ]


async def _check_role(connection: Any, target: PostgresqlTarget, schema: str | None) -> None:
    """What a node sets at connect, and a pooler refuses."""
    wanted = target.settings.schema
    if wanted and schema != wanted:
        raise StoreUnavailable(
            f"{target.at} is behind a pooler, and its role sees the schema {schema or 'of nobody'} first; "
            f"CREATE SCHEMA {target.quoted_schema}; ALTER ROLE ... SET search_path = {target.quoted_schema}"
        )
    rows = await connection.fetch(named_statements()["settings"], list(PLANS))
    found = {row["name"]: row["setting"] for row in rows}
    wrong = {name: wanted for name, wanted in PLANS.items() if found.get(name) != wanted}
    if wrong:
        cure = "; ".join(f"ALTER ROLE ... SET {name} = {wanted}" for name, wanted in sorted(wrong.items()))
        raise StoreUnavailable(f"{target.at} is behind a pooler, and its role lacks settings that pin plans; {cure}")


def _ms(seconds: float) -> str:
    return str(int(seconds * 1000))
