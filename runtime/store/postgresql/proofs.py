"""What was proven of versions, in a store in PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from runtime.store.columns import PROOFS
from runtime.store.postgresql.conversation_pages import PostgresqlConversationPages
from runtime.store.postgresql.text import given_row, kept, kept_column
from runtime.store.proofs import PROOFS_KEPT_MAX, ProofPlace, ProofRow

__all__ = ["PostgresqlProofs"]

_FIRST = ProofPlace("", "", -math.inf, b"")


class PostgresqlProofs(PostgresqlConversationPages):
    async def keep_proofs(self, proofs: Sequence[ProofRow]) -> None:
        """Keeps new ones in one statement, and drops old ones in another. Each can be repeated."""
        if not proofs:
            return
        columns = [kept_column(column) for column in zip(*map(PROOFS.values, proofs), strict=True)]

        async def put(connection: Any) -> None:
            await connection.execute(self._sql["keep_proofs"], *columns)
            await connection.execute(self._sql["drop_old_proofs"], PROOFS_KEPT_MAX)

        await self.members.repeatable(put)

    async def proofs(self, *, limit: int, after: ProofPlace | None = None, version: str = "") -> list[ProofRow]:
        place, sql = after or _FIRST, self._sql["proofs"]
        values = (kept(version), kept(place.kind), kept(place.version), place.made_at_s, place.id, limit)
        rows = await self._reads.read(lambda one: one.fetch(sql, *values))
        return [_proof_row(row) for row in rows]


def _proof_row(row: tuple[Any, ...]) -> ProofRow:
    values: tuple[Any, ...] = given_row(row)
    return ProofRow(*values)
