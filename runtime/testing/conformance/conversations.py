"""Conformance: conversations that are read page by page."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.conversation_pages import ConversationSize, HandledFilter, HandledPlace
from runtime.store.records import HistoryRow, MailRow, Outcome, Transition
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import history_row, id_of, mail_row, post

__all__ = ["ConversationConformance"]

_ALL = HandledFilter()


class ConversationConformance(ConformanceBase):
    async def test_what_a_conversation_has_handled_is_read_page_by_page_in_both_directions(self) -> None:
        async with self.store() as store:
            instants = ((3, 1.0), (1, 2.0), (2, 2.0), (9, 2.0), (4, 7.5))
            rows = [history_row(number, conversation=5, handled_at_s=at_s) for number, at_s in instants]
            others = [history_row(number, conversation=6, handled_at_s=2.0) for number in (1, 8)]
            await self.commit(store, *(Transition(history=(row,)) for row in [*others, *reversed(rows)]))
            for newest_first in (False, True):
                expected = rows[::-1] if newest_first else rows
                for size in (1, 2, 3, 9):
                    found, after = list[HistoryRow](), None
                    while page := await store.handled_in(
                        id_of(5), _ALL, limit=size, after=after, newest_first=newest_first
                    ):
                        found, after = [*found, *page], HandledPlace.of(page[-1])
                        assert len(page) <= size
                    assert found == expected
            gone = HandledPlace(2.0, id_of(5))  # a page may end with a message that is not there any more
            assert await store.handled_in(id_of(5), _ALL, limit=9, after=gone) == rows[3:]
            assert await store.handled_in(id_of(7), _ALL, limit=9) == []

    async def test_a_page_of_a_conversation_has_only_what_fits_the_filter(self) -> None:
        async with self.store() as store:
            first = history_row(1, "a", kind="billing", conversation=5, sender="sales/a")
            rows = [
                first,
                history_row(2, "b", kind="billing", conversation=5, sender="sales/a"),
                history_row(3, "a", kind="sales", conversation=5, sender=""),
                history_row(4, "a/b", kind="trip", conversation=5, sender="billing/a/b"),
                history_row(5, "z", kind="trip", conversation=5, sender="bill/a", type="other.Payout"),
                history_row(6, "z", conversation=5, kind="trip", sender="trip/y", outcome=Outcome.FAULTED),
            ]
            rows[5] = replace(rows[5], error="Out of 100% STOCK", type="Pay")
            await self.commit(store, *(Transition(history=(row,)) for row in rows))

            async def numbers(wanted: HandledFilter) -> list[int]:
                found = await store.handled_in(id_of(5), wanted, limit=9)
                assert [row for row in rows if wanted.fits(row)] == found
                return [int.from_bytes(row.id, "big") for row in found]

            assert await numbers(HandledFilter(kind="billing")) == [1, 2, 4]
            assert await numbers(HandledFilter(kind="sales", key="a")) == [1, 2, 3]
            assert await numbers(HandledFilter(kind="billing", key="a")) == [1]
            assert await numbers(HandledFilter(kind="billing", key="a/b")) == [4]
            assert await numbers(HandledFilter(kind="nobody")) == []
            assert await numbers(HandledFilter(type="Pay")) == [1, 2, 3, 4, 6]
            assert await numbers(HandledFilter(type="trip.Pay")) == [1, 2, 3, 4]
            assert await numbers(HandledFilter(type="ay")) == []
            assert await numbers(HandledFilter(error="100% stock")) == [6]
            assert await numbers(HandledFilter(error="100_ stock")) == []
            assert await numbers(HandledFilter(only_errors=True)) == [6]
            assert await numbers(HandledFilter(kind="trip", type="Pay", only_errors=True)) == [6]
            newest = await store.handled_in(id_of(5), HandledFilter(kind="billing"), limit=2, newest_first=True)
            assert [row.id for row in newest] == [id_of(4), id_of(2)]

    async def test_mail_of_a_conversation_is_read_page_by_page(self) -> None:
        async with self.store() as store:
            rows = [
                mail_row(9, "b", conversation=5, sent_at_s=1.0),
                mail_row(7, "a", conversation=5, sent_at_s=2.0, kind="billing", parked="boom"),
                mail_row(8, "a", conversation=5, sent_at_s=2.0, kind="sales", shard=8, due_at_s=1e8),
            ]
            twice = [replace(rows[0], sequence=1, sent_at_s=3.0, kind=kind, shard=shard) for kind, shard in _PLACES]
            rows += [replace(row, id=id_of(2)) for row in twice]
            put = [Transition(mail=(row,)) for row in rows[:2:-1]]
            await self.commit(store, *put, *(post(row) for row in [*reversed(rows[:3]), mail_row(3, conversation=6)]))
            for size in (1, 2, 9):
                found, after = list[MailRow](), None
                while page := await store.mail_in(id_of(5), limit=size, after=after):
                    found, after = [*found, *page], page[-1]
                assert found == rows

    async def test_the_messages_of_a_conversation_are_counted(self) -> None:
        async with self.store() as store:
            handled = [Transition(history=(history_row(number, conversation=5),)) for number in (1, 2, 3)]
            mail = [
                mail_row(4, conversation=5),
                mail_row(5, conversation=5),
                mail_row(6, conversation=5, parked="boom"),
            ]
            others = [mail_row(7, conversation=6), mail_row(8, conversation=6, parked="boom")]
            await self.commit(store, *handled, *(post(row) for row in [*mail, *others]))
            assert await store.conversation_size(id_of(5)) == ConversationSize(handled=3, waiting=2, parked=1)
            assert await store.conversation_size(id_of(7)) == ConversationSize()


_PLACES = (("billing", 2), ("billing", 5), ("sales", 1))
