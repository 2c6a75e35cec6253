"""Pages of one conversation in a store in PostgreSQL: the filter as parameters of one statement."""

from __future__ import annotations

import math

from runtime.envelope import address_of
from runtime.store.conversation_pages import ConversationSize, HandledFilter, HandledPlace
from runtime.store.postgresql.members import PostgresqlMembers
from runtime.store.postgresql.rows import history_row, mail_row
from runtime.store.postgresql.text import kept
from runtime.store.records import HistoryRow, MailRow

__all__ = ["PostgresqlConversationPages"]


class PostgresqlConversationPages(PostgresqlMembers):
    async def handled_in(
        self,
        conversation: bytes,
        wanted: HandledFilter,
        *,
        limit: int,
        after: HandledPlace | None = None,
        newest_first: bool = False,
    ) -> list[HistoryRow]:
        sql = self._sql["handled_in_newest_first" if newest_first else "handled_in"]
        # The first page begins behind an instant that no message has.
        place = after or HandledPlace(math.inf if newest_first else -math.inf, b"")
        texts = (wanted.kind, wanted.key, address_of(wanted.kind, wanted.key), wanted.type, wanted.error)
        values = [conversation, *map(kept, texts), wanted.only_errors, place.handled_at_s, place.id, limit]
        rows = await self._reads.read(lambda one: one.fetch(sql, *values))
        return [history_row(row) for row in rows]

    async def mail_in(self, conversation: bytes, *, limit: int, after: MailRow | None = None) -> list[MailRow]:
        sql, values = self._sql["mail_in"], [conversation, limit]
        if after is not None:
            sql = self._sql["mail_in_after"]
            values += [after.sent_at_s, after.sequence, after.id, kept(after.kind), kept(after.key), after.shard]
        rows = await self._reads.read(lambda one: one.fetch(sql, *values))
        return [mail_row(row) for row in rows]

    async def conversation_size(self, conversation: bytes) -> ConversationSize:
        sql = self._sql["conversation_size"]
        return ConversationSize(*await self._reads.read(lambda one: one.fetchrow(sql, conversation)))
