"""What operators read in a store in SQLite: on the reader's thread, a page at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import apsw

from runtime.envelope import Address
from runtime.store.columns import PROOFS
from runtime.store.conversation_pages import ConversationSize, HandledFilter, HandledPlace
from runtime.store.parked import ParkedPlace
from runtime.store.proofs import PROOFS_KEPT_MAX, ProofPlace, ProofRow
from runtime.store.records import ActorRow, HistoryRow, MailRow
from runtime.store.sqlite.conversation_pages import read_conversation_size, read_handled_in
from runtime.store.sqlite.members import SqliteMembers
from runtime.store.sqlite.rows import actor_row, history_row
from runtime.store.sqlite.statements import LOAD_ACTORS
from runtime.store.sqlite.summaries import count_summaries, count_versions, read_summaries
from runtime.store.sqlite.tallies import read_tallies
from runtime.store.sqlite.timed import read_timed
from runtime.store.summaries import SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow
from runtime.store.tallies import Tallies
from runtime.store.timed import TimedFilter, TimedPlace

__all__ = ["SqliteOperators"]

_FIRST_PARKED = ParkedPlace(b"", "", "", -1)
_FIRST_PROOF = ProofPlace("", "", -math.inf, b"")
T = TypeVar("T")


class SqliteOperators(SqliteMembers):
    async def handled_in(
        self,
        conversation: bytes,
        wanted: HandledFilter,
        *,
        limit: int,
        after: HandledPlace | None = None,
        newest_first: bool = False,
    ) -> list[HistoryRow]:
        def read(connection: apsw.Connection) -> list[HistoryRow]:
            return read_handled_in(
                connection, conversation, wanted, limit=limit, after=after, newest_first=newest_first
            )

        return await self._reader.patiently(read)

    async def mail_in(self, conversation: bytes, *, limit: int, after: MailRow | None = None) -> list[MailRow]:
        parameters = {
            "conversation": conversation,
            "limit": limit,
            "is_first": after is None,
            "after_sent_at_s": None if after is None else after.sent_at_s,
            "after_sequence": None if after is None else after.sequence,
            "after_id": None if after is None else after.id,
            "after_kind": None if after is None else after.kind,
            "after_key": None if after is None else after.key,
            "after_shard": None if after is None else after.shard,
        }
        return await self._rows(MailRow, "mail_in", parameters)

    async def conversation_size(self, conversation: bytes) -> ConversationSize:
        return await self._reader.patiently(lambda connection: read_conversation_size(connection, conversation))

    async def handled_of(
        self, wanted: Sequence[tuple[str, str]], *, limit: int, after: tuple[bytes, bytes]
    ) -> list[HistoryRow]:
        return await self._rows(history_row, "handled_of", (json.dumps([*wanted]), *after, limit))

    async def dead_letters(self, *, limit: int, after: ParkedPlace | None = None) -> list[MailRow]:
        place = after or _FIRST_PARKED
        return await self._rows(MailRow, "dead_letters", (place.id, place.kind, place.key, place.shard, limit))

    async def actors_with_key(self, key: str) -> list[ActorRow]:
        def read(connection: apsw.Connection) -> list[ActorRow]:
            rows = LOAD_ACTORS.read(connection, [(kind, key) for (kind,) in connection.execute(self._sql["kinds"])])
            return sorted((actor_row(*row) for row in rows), key=lambda row: row.kind)

        return await self._reader.patiently(read)

    async def mail_with_key(self, key: str) -> list[tuple[str, int]]:
        return await self._rows(lambda kind, shard: (kind, shard), "mail_with_key", (key,))

    async def actors(self, kind: str, *, limit: int, after: str = "") -> list[ActorRow]:
        return await self._rows(actor_row, "actors", {"kind": kind, "after": after, "limit": limit})

    async def timed(self, wanted: TimedFilter, *, limit: int, after: TimedPlace | None = None) -> list[ActorRow]:
        return await self._reader.patiently(lambda connection: read_timed(connection, wanted, limit=limit, after=after))

    async def summaries(
        self,
        wanted: SummaryFilter,
        *,
        limit: int,
        order: SummaryOrder = SummaryOrder.PROGRESS,
        after: SummaryPlace | None = None,
    ) -> list[SummaryRow]:
        return await self._reader.patiently(
            lambda connection: read_summaries(connection, wanted, order=order, limit=limit, after=after)
        )

    async def summary_counts(self) -> list[tuple[str, str, int]]:
        return await self._reader.patiently(count_summaries)

    async def tallies(self, *, uncounted: Sequence[str], actors_max: int, mail_max: int) -> Tallies:
        now_s = self._clock.now_s()
        return await self._reader.patiently(
            lambda connection: read_tallies(
                connection, now_s=now_s, uncounted=uncounted, actors_max=actors_max, mail_max=mail_max
            )
        )

    async def forget_record(self, row: ActorRow) -> None:
        parameters = (row.kind, row.key, row.revision, row.last_id)
        await self._write(lambda connection: connection.execute(self._sql["forget_record"], parameters).fetchall())

    async def keep_proofs(self, proofs: Sequence[ProofRow]) -> None:
        def put(connection: apsw.Connection) -> None:
            connection.executemany(self._sql["keep_proof"], [PROOFS.values(row) for row in proofs])
            connection.execute(self._sql["drop_old_proofs"], (PROOFS_KEPT_MAX,))

        if proofs:
            await self._write(put)

    async def proofs(self, *, limit: int, after: ProofPlace | None = None, version: str = "") -> list[ProofRow]:
        place = after or _FIRST_PROOF
        parameters = (version, version, place.kind, place.version, place.made_at_s, place.id, limit)
        return await self._rows(ProofRow, "proofs", parameters)

    async def version_counts(self, statuses: Sequence[str] = ()) -> list[tuple[str, str, str, int]]:
        return await self._reader.patiently(lambda connection: count_versions(connection, statuses))

    async def _rows(self, make: Callable[..., T], name: str, parameters: apsw.Bindings) -> list[T]:
        return await self._reader.patiently(
            lambda connection: [make(*row) for row in connection.execute(self._sql[name], parameters)]
        )

    async def every_actor(self, *, limit: int, after: Address = ("", "")) -> list[ActorRow]:
        return await self._rows(actor_row, "every_actor", (*after, limit))

    async def every_mail(self, *, limit: int, after: MailRow | None = None) -> list[MailRow]:
        place = ("", -1, "", b"") if after is None else (after.kind, after.shard, after.key, after.id)
        return await self._rows(MailRow, "every_mail", (*place, limit))

    async def every_handled(self, *, limit: int, after: tuple[bytes, bytes] = (b"", b"")) -> list[HistoryRow]:
        return await self._rows(history_row, "every_handled", (*after, limit))
