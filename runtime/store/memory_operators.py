"""The tables of the store in memory, and what operators read in them."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

from runtime.envelope import Address
from runtime.ports import Clock
from runtime.store.conversation_pages import ConversationSize, HandledFilter, HandledPlace
from runtime.store.memory_members import MemoryMembers
from runtime.store.parked import ParkedPlace
from runtime.store.proofs import PROOFS_KEPT_MAX, ProofPlace, ProofRow
from runtime.store.records import ActorRow, HistoryRow, MailRow
from runtime.store.summaries import SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow
from runtime.store.tallies import Tallies, tallies_by_kind
from runtime.store.timed import TimedFilter, TimedPlace

__all__ = ["MemoryOperators"]

_Slice = tuple[str, int]  # kind and shard
_Slot = tuple[str, bytes]  # key and id of one message, within its slice


class MemoryOperators(MemoryMembers):
    """What `OperatorStore` says, by looking at everything there is."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._actors: dict[Address, ActorRow] = {}
        self._mail: dict[_Slice, dict[_Slot, MailRow]] = {}
        self._posted: dict[tuple[bytes, bytes], None] = {}  # Mail that clients have posted and that waits.
        self._history: dict[bytes, dict[bytes, HistoryRow]] = {}  # by conversation, then id
        self._proofs: dict[ProofPlace, ProofRow] = {}

    async def handled_in(
        self,
        conversation: bytes,
        wanted: HandledFilter,
        *,
        limit: int,
        after: HandledPlace | None = None,
        newest_first: bool = False,
    ) -> list[HistoryRow]:
        places = {HandledPlace.of(row): row for row in self._history.get(conversation, {}).values() if wanted.fits(row)}
        found = sorted(places, reverse=newest_first)
        return [places[place] for place in found if after is None or _is_behind(place, after, newest_first)][:limit]

    async def mail_in(self, conversation: bytes, *, limit: int, after: MailRow | None = None) -> list[MailRow]:
        rows = [row for row in self._all_mail() if row.conversation == conversation]
        return sorted((row for row in rows if after is None or _age(row) > _age(after)), key=_age)[:limit]

    async def conversation_size(self, conversation: bytes) -> ConversationSize:
        parked = [bool(row.parked) for row in self._all_mail() if row.conversation == conversation]
        handled = len(self._history.get(conversation, {}))
        return ConversationSize(handled, parked.count(False), parked.count(True))

    async def handled_of(
        self, wanted: Sequence[tuple[str, str]], *, limit: int, after: tuple[bytes, bytes]
    ) -> list[HistoryRow]:
        rows = [
            row for row in self._all_history() if (row.kind, row.type) in wanted and (row.conversation, row.id) > after
        ]
        return sorted(rows, key=lambda row: (row.conversation, row.id))[:limit]

    async def dead_letters(self, *, limit: int, after: ParkedPlace | None = None) -> list[MailRow]:
        places = {ParkedPlace.of(row): row for row in self._all_mail() if row.parked}
        return [places[place] for place in sorted(places) if after is None or place > after][:limit]

    async def actors_with_key(self, key: str) -> list[ActorRow]:
        return sorted((row for row in self._actors.values() if row.key == key), key=lambda row: row.kind)

    async def mail_with_key(self, key: str) -> list[tuple[str, int]]:
        return sorted({(row.kind, row.shard) for row in self._all_mail() if row.key == key})

    async def actors(self, kind: str, *, limit: int, after: str = "") -> list[ActorRow]:
        rows = [row for row in self._actors.values() if row.kind == kind and row.key > after]
        return sorted(rows, key=lambda row: row.key)[:limit]

    async def timed(self, wanted: TimedFilter, *, limit: int, after: TimedPlace | None = None) -> list[ActorRow]:
        places = {TimedPlace.of(row): row for row in self._actors.values() if wanted.fits(row)}
        return [places[place] for place in sorted(places) if after is None or place > after][:limit]

    async def summaries(
        self,
        wanted: SummaryFilter,
        *,
        limit: int,
        order: SummaryOrder = SummaryOrder.PROGRESS,
        after: SummaryPlace | None = None,
    ) -> list[SummaryRow]:
        parked = Counter((row.address, row.shard) for row in self._all_mail() if row.parked)
        found = [
            SummaryRow(row.kind, row.key, row.shard, row.summary, parked[row.address, row.shard])
            for row in self._actors.values()
            if row.summary is not None
        ]
        places = {row.place.in_order(order): row for row in found if wanted.fits(row)}
        return [places[place] for place in sorted(places) if after is None or place > after.in_order(order)][:limit]

    async def tallies(self, *, uncounted: Sequence[str], actors_max: int, mail_max: int) -> Tallies:
        told = [(row.kind, row.summary) for row in self._actors.values() if row.summary is not None]
        statuses = sorted({(kind, summary.status) for kind, summary in told})
        standing = {
            status: [(kind, one.progressed_at_s) for kind, one in told if one.status == status]
            for status in sorted({status for _, status in statuses}.difference(uncounted))
        }
        mail = sorted(self._all_mail(), key=_slot)
        first = [rows for _, of_kind in itertools.groupby(mail, lambda row: row.kind) for rows in [*of_kind][:mail_max]]
        waiting = [(row.kind, max(row.sent_at_s, row.due_at_s)) for row in first if not row.parked]
        now_s, due = self._clock.now_s(), [(row.kind, row.due_at_s) for row in self._actors.values()]
        late = [(kind, at_s if at_s is not None and at_s <= now_s else None) for kind, at_s in due]
        return Tallies(
            now_s=now_s,
            statuses=tuple(statuses),
            actors=tuple(
                (status, tally)
                for status, rows in standing.items()
                for tally in tallies_by_kind(rows, count_max=actors_max)
            ),
            owed=tallies_by_kind(((kind, one.owed_at_s) for kind, one in told), count_max=actors_max),
            unknown=tallies_by_kind(((kind, one.unknown_at_s) for kind, one in told), count_max=actors_max),
            waiting=tallies_by_kind(waiting),
            parked=tallies_by_kind(((row.kind, row.parked_at_s) for row in mail if row.parked), count_max=actors_max),
            late=tallies_by_kind(late, count_max=actors_max),
        )

    async def summary_counts(self) -> list[tuple[str, str, int]]:
        counts = Counter((row.kind, row.summary.status) for row in self._actors.values() if row.summary is not None)
        return [(kind, status, count) for (kind, status), count in sorted(counts.items())]

    async def version_counts(self, statuses: Sequence[str] = ()) -> list[tuple[str, str, str, int]]:
        told = [(row.kind, row.summary) for row in self._actors.values() if row.summary is not None]
        counts = Counter(
            (kind, summary.version, summary.status)
            for kind, summary in told
            if not statuses or summary.status in statuses
        )
        return [(*one, count) for one, count in sorted(counts.items())]

    async def keep_proofs(self, proofs: Sequence[ProofRow]) -> None:
        for row in proofs:
            self._proofs.setdefault(ProofPlace.of(row), row)
        of_each: dict[tuple[str, str, str], list[ProofPlace]] = {}
        for place in sorted(self._proofs):
            row = self._proofs[place]
            of_each.setdefault((row.kind, row.version, row.result), []).append(place)
        for places in of_each.values():
            for place in places[:-PROOFS_KEPT_MAX]:
                del self._proofs[place]

    async def proofs(self, *, limit: int, after: ProofPlace | None = None, version: str = "") -> list[ProofRow]:
        found = (place for place in sorted(self._proofs) if after is None or place > after)
        return [self._proofs[place] for place in found if version in ("", place.version)][:limit]

    def _all_mail(self) -> Iterator[MailRow]:
        return itertools.chain.from_iterable(rows.values() for rows in self._mail.values())

    async def forget_record(self, row: ActorRow) -> None:
        known = self._actors.get(row.address)
        if known is not None and (known.revision, known.last_id) == (row.revision, row.last_id):
            del self._actors[row.address]

    async def every_actor(self, *, limit: int, after: Address = ("", "")) -> list[ActorRow]:
        found = sorted(address for address in self._actors if address > after)
        return [self._actors[address] for address in found[:limit]]

    async def every_mail(self, *, limit: int, after: MailRow | None = None) -> list[MailRow]:
        found = [row for row in self._all_mail() if after is None or _slot(row) > _slot(after)]
        return sorted(found, key=_slot)[:limit]

    async def every_handled(self, *, limit: int, after: tuple[bytes, bytes] = (b"", b"")) -> list[HistoryRow]:
        rows = [row for row in self._all_history() if (row.conversation, row.id) > after]
        return sorted(rows, key=lambda row: (row.conversation, row.id))[:limit]

    def _all_history(self) -> Iterator[HistoryRow]:
        return itertools.chain.from_iterable(rows.values() for rows in self._history.values())


def _slot(row: MailRow) -> tuple[str, int, str, bytes]:
    return row.kind, row.shard, row.key, row.id


def _age(row: MailRow) -> tuple[float, int, bytes, str, str, int]:
    return row.sent_at_s, row.sequence, row.id, row.kind, row.key, row.shard


def _is_behind(place: HandledPlace, after: HandledPlace, newest_first: bool) -> bool:
    return place < after if newest_first else place > after
