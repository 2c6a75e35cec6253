"""The scheme `postgresql`: a database on a server, for the nodes of many machines.

postgresql://user:password@host:5432/database?sslmode=verify-full&schema=orders
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.ports import Ports
from runtime.store.engine import StoreNotes
from runtime.store.finding import StoreFinding
from runtime.store.port import Store
from runtime.store.postgresql.doctor import examine
from runtime.store.postgresql.store import PostgresqlStore
from runtime.store.postgresql.target import PostgresqlTarget

__all__ = ["PostgresqlEngine"]


class PostgresqlEngine:
    """Opens databases. Copies of them are made with the server's own tools, which know how."""

    def open(self, url: str, ports: Ports, *, create: bool, view: bool) -> Store:
        return PostgresqlStore(PostgresqlTarget.of(url), ports, create=create, view=view)

    def back_up(self, url: str, to: Path) -> int:
        raise InvalidSettings(f"{PostgresqlTarget.of(url).at} is copied by its own tools; use pg_dump or pg_basebackup")

    def restore(self, url: str, source: Path, ports: Ports) -> Path | None:
        raise InvalidSettings(
            f"{PostgresqlTarget.of(url).at} is restored by its own tools, into a database of its own; use pg_restore"
        )

    def examine(self, url: str, ports: Ports) -> list[StoreFinding]:
        return asyncio.run(examine(PostgresqlTarget.of(url), ports.clock.now_s()))

    def notes(self, url: str) -> StoreNotes:
        PostgresqlTarget.of(url)
        return StoreNotes()
