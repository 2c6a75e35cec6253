"""Conformance: what sweepers find, in which order, and what they must not find."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from runtime.store.records import Transition
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, SHARD, actor_row, mail_row, post, turn

__all__ = ["SweepConformance"]


class SweepConformance(ConformanceBase):
    async def test_waiting_mail_comes_oldest_first_and_by_sequence(self) -> None:
        async with self.store() as store:
            rows = [
                mail_row(4, "a", sent_at_s=1.0, sequence=1),
                mail_row(3, "b", sent_at_s=1.0, sequence=2),
                mail_row(2, "c", sent_at_s=1.0, sequence=10),
                mail_row(1, "d", sent_at_s=2.0, sequence=0),
            ]
            await self.commit(store, *(post(row) for row in reversed(rows)))
            look = partial(store.waiting, "billing", [SHARD], due_before_s=1e9, sent_before_s=1e9)
            assert await look(limit=9) == rows
            assert await look(limit=2) == rows[:2]

    async def test_the_pages_of_one_look_join_without_a_gap_or_a_row_twice(self) -> None:
        async with self.store() as store:
            rows = [
                mail_row(2, "a", sent_at_s=1.0, sequence=1),
                mail_row(1, "b", sent_at_s=1.0, sequence=2),
                mail_row(1, "é", sent_at_s=1.0, sequence=2),
                mail_row(1, "🚚", sent_at_s=1.0, sequence=2),
                mail_row(3, "a", sent_at_s=1.0, sequence=2),
                mail_row(0, "a", sent_at_s=2.0, sequence=0),
            ]
            others = [mail_row(9, "x", sent_at_s=1.5, parked="boom"), mail_row(8, "x", sent_at_s=1.5, due_at_s=2e9)]
            await self.commit(store, *(post(row, check_duplicates=False) for row in [*reversed(rows), *others]))
            look = partial(store.waiting, "billing", [SHARD], due_before_s=1e9, sent_before_s=1e9)
            for size in range(1, len(rows) + 2):
                pages = [await look(limit=size)]
                while pages[-1]:
                    pages.append(await look(limit=size, after=pages[-1][-1]))
                assert [row for page in pages for row in page] == rows
            assert await look(limit=9, after=mail_row(7, "nobody", sent_at_s=1.7)) == rows[-1:]

    async def test_equal_instants_and_sequences_come_by_id(self) -> None:
        async with self.store() as store:
            rows = [mail_row(number, key) for number, key in ((1, "c"), (2, "a"), (3, "b"))]
            await self.commit(store, *(post(row) for row in reversed(rows)))
            assert await store.waiting("billing", [SHARD], due_before_s=1e9, sent_before_s=1e9, limit=9) == rows

    async def test_mail_is_found_from_the_instant_it_is_due(self) -> None:
        async with self.store() as store:
            row = mail_row(1, due_at_s=50.0)
            await self.commit(store, post(row))
            assert await store.waiting("billing", [SHARD], due_before_s=49.9, sent_before_s=1e9, limit=9) == []
            assert await store.waiting("billing", [SHARD], due_before_s=50.0, sent_before_s=1e9, limit=9) == [row]

    async def test_young_mail_is_left_to_its_push(self) -> None:
        async with self.store() as store:
            row = mail_row(1, sent_at_s=50.0)
            await self.commit(store, post(row))
            assert await store.waiting("billing", [SHARD], due_before_s=1e9, sent_before_s=49.9, limit=9) == []
            assert await store.waiting("billing", [SHARD], due_before_s=1e9, sent_before_s=50.0, limit=9) == [row]

    async def test_parked_mail_and_that_of_other_shards_and_kinds_is_not_found(self) -> None:
        async with self.store() as store:
            wanted = [mail_row(1), mail_row(2, shard=4)]
            others = [mail_row(3, parked="boom"), mail_row(4, shard=5), mail_row(5, kind="sales")]
            await self.commit(store, *(post(row) for row in wanted + others))
            assert await store.waiting("billing", [4, SHARD], due_before_s=1e9, sent_before_s=1e9, limit=9) == wanted
            assert await store.waiting("billing", [], due_before_s=1e9, sent_before_s=1e9, limit=9) == []

    async def test_all_mail_of_one_actor_is_found_parked_and_delayed_included(self) -> None:
        async with self.store() as store:
            rows = [mail_row(1, parked="boom"), mail_row(2, due_at_s=1e9), mail_row(3)]
            await self.commit(store, *(post(row) for row in [*reversed(rows), mail_row(4, "b")]))
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == rows
            assert await store.waiting_for(("billing", "a"), SHARD, limit=1) == rows[:1]

    async def test_one_message_that_waits_is_found_by_its_id(self) -> None:
        async with self.store() as store:
            rows = [mail_row(1, parked="boom"), mail_row(2, due_at_s=1e9), mail_row(3), mail_row(4, "b")]
            await self.commit(store, *(post(row) for row in rows))
            assert [await store.mail_of(row.address, SHARD, row.id) for row in rows] == rows
            assert await store.mail_of(("billing", "a"), SHARD, rows[3].id) is None
            assert await store.mail_of(("billing", "a"), SHARD + 1, rows[2].id) is None
            assert await store.mail_of(("sales", "a"), SHARD, rows[2].id) is None

    async def test_s47_due_timers_come_earliest_first(self) -> None:
        async with self.store() as store:
            rows = [actor_row("c", due_at_s=10.0), actor_row("a", due_at_s=20.0), actor_row("b", due_at_s=20.0)]
            others = [
                actor_row("d", due_at_s=20.1),
                actor_row("e"),
                actor_row("f", due_at_s=1.0, shard=9),
                actor_row("g", due_at_s=1.0, kind="sales"),
            ]
            await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in others + rows[::-1]))
            assert await store.due("billing", [SHARD], before_s=20.0, limit=9) == rows
            assert await store.due("billing", [SHARD], before_s=20.0, limit=1) == rows[:1]

    async def test_s50_a_timer_that_was_moved_or_cancelled_is_due_no_more(self) -> None:
        async with self.store() as store:
            first = turn(1, due_at_s=10.0)
            await self.commit(store, post(mail_row(1)), post(mail_row(2)), post(mail_row(3)), first)
            moved = turn(2, start=first.actor, due_at_s=30.0)
            await self.commit(store, moved)
            assert await store.due("billing", [SHARD], before_s=20.0, limit=9) == []
            assert await store.due("billing", [SHARD], before_s=30.0, limit=9) == [moved.actor]
            await self.commit(store, turn(3, start=moved.actor))
            assert await store.due("billing", [SHARD], before_s=1e9, limit=9) == []

    async def test_mail_that_was_put_off_is_found_again_later(self) -> None:
        async with self.store() as store:
            row = mail_row(1)
            later = replace(row, due_at_s=60.0, attempts=1)
            await self.commit(store, post(row), Transition(address=row.address, shard=SHARD, rescheduled=(later,)))
            assert await store.waiting("billing", [SHARD], due_before_s=59.0, sent_before_s=1e9, limit=9) == []
            assert await store.waiting("billing", [SHARD], due_before_s=60.0, sent_before_s=1e9, limit=9) == [later]
