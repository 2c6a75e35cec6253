"""Conformance: what operators read."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.parked import ParkedPlace
from runtime.store.records import ActorRow, Expected, MailRow, Transition
from runtime.store.timed import TimedFilter, TimedPlace
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, actor_row, history_row, id_of, mail_row, post

__all__ = ["OperatorConformance"]


class OperatorConformance(ConformanceBase):
    async def test_a_conversation_reads_in_the_order_it_was_handled(self) -> None:
        async with self.store() as store:
            rows = [
                history_row(number, conversation=5, handled_at_s=at) for number, at in ((3, 1.0), (1, 2.0), (2, 2.0))
            ]
            others = history_row(4, conversation=6)
            await self.commit(store, *(Transition(history=(row,)) for row in [others, *reversed(rows)]))
            assert await store.conversation(id_of(5)) == rows
            assert await store.conversation(id_of(7)) == []

    async def test_what_was_handled_of_one_type_is_listed_page_by_page(self) -> None:
        async with self.store() as store:
            rows = [history_row(number, conversation=talk) for talk, number in ((1, 4), (1, 5), (2, 1), (3, 2))]
            others = (replace(rows[0], id=id_of(8), type="other"), replace(rows[0], id=id_of(9), kind="other"))
            await self.commit(store, *(Transition(history=(row,)) for row in [*others, *reversed(rows)]))
            wanted = [(rows[0].kind, rows[0].type)]
            assert await store.handled_of(wanted, limit=3, after=(b"", b"")) == rows[:3]
            assert await store.handled_of(wanted, limit=3, after=(rows[2].conversation, rows[2].id)) == rows[3:]
            both = [*wanted, (rows[0].kind, "other"), ("other", "other")]
            assert await store.handled_of(both, limit=9, after=(b"", b"")) == [*rows[:2], others[0], *rows[2:]]
            assert await store.handled_of([], limit=9, after=(b"", b"")) == []

    async def test_mail_of_a_conversation_is_found_wherever_it_waits(self) -> None:
        async with self.store() as store:
            rows = [
                mail_row(2, "b", conversation=5, sent_at_s=1.0),
                mail_row(1, kind="sales", shard=8, conversation=5, sent_at_s=2.0, parked="boom"),
            ]
            await self.commit(store, *(post(row) for row in [*reversed(rows), mail_row(3, conversation=6)]))
            assert await store.mail_of_conversation(id_of(5)) == rows

    async def test_of_one_id_and_key_in_several_shards_the_lowest_shard_comes_first(self) -> None:
        """The product never makes such rows, but every store has the same order for them."""
        async with self.store() as store:
            rows = [mail_row(1, shard=shard, conversation=5, sequence=1) for shard in (2, 5, 9)]
            await self.commit(store, *(Transition(mail=(row,)) for row in (rows[1], rows[2], rows[0])))
            assert await store.mail_of_conversation(id_of(5)) == rows
            for after, left in ((None, rows), (rows[0], rows[1:])):
                found = await store.waiting(
                    "billing", [9, 5, 2], due_before_s=1e9, sent_before_s=1e9, limit=9, after=after
                )
                assert found == left

    async def test_dead_letters_are_listed_page_by_page(self) -> None:
        async with self.store() as store:
            rows = [mail_row(number, f"k{number}", parked="boom", shard=number) for number in range(1, 6)]
            await self.commit(store, *(post(row) for row in [*reversed(rows), mail_row(9)]))
            assert await store.dead_letters(limit=3) == rows[:3]
            assert await store.dead_letters(limit=3, after=ParkedPlace.of(rows[2])) == rows[3:]

    async def test_dead_letters_of_one_id_are_each_listed_on_some_page(self) -> None:
        async with self.store() as store:
            rows = [
                mail_row(1, "a", kind="billing", shard=9, parked="boom"),
                mail_row(1, "b", kind="billing", shard=2, parked="boom"),
                mail_row(1, "b", kind="billing", shard=4, parked="boom"),
                mail_row(1, "a", kind="sales", shard=1, parked="boom"),
            ]
            rows = [replace(row, sequence=1) for row in rows]  # as actors send them: a client's id waits once
            rows += [mail_row(2, parked="boom")]
            await self.commit(store, *(Transition(mail=(row,)) for row in reversed(rows)))
            for size in (1, 2, 3):
                found, after = list[MailRow](), None
                while page := await store.dead_letters(limit=size, after=after):
                    found, after = [*found, *page], ParkedPlace.of(page[-1])
                assert found == rows

    async def test_a_key_is_found_in_every_kind(self) -> None:
        async with self.store() as store:
            rows = [actor_row("a", kind=kind) for kind in ("billing", "sales", "warehouse")]
            others = [actor_row("b"), actor_row("b", kind="zebra")]
            await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in [*others, *reversed(rows)]))
            assert await store.actors_with_key("a") == rows
            assert await store.actors_with_key("c") == []

    async def test_a_record_is_forgotten_if_it_is_still_as_it_was_read(self) -> None:
        async with self.store() as store:
            row, other = actor_row("a", kind="records"), actor_row("a")
            await self.commit(store, *(Transition(actor=one, expected=EMPTY) for one in (row, other)))
            await store.forget_record(replace(row, revision=row.revision + 1))
            await store.forget_record(replace(row, last_id=b"another"))
            assert await store.load([("records", "a")]) == [row]
            await store.forget_record(row)
            await store.forget_record(row)
            assert await store.load([("records", "a"), other.address]) == [None, other]
            assert await store.actors("records", limit=9) == []
            await self.commit(store, Transition(actor=row, expected=EMPTY))
            assert await store.load([("records", "a")]) == [row]

    async def test_mail_for_a_key_is_found_in_every_kind(self) -> None:
        async with self.store() as store:
            rows = [
                mail_row(1, "a", kind="sales", shard=8),
                mail_row(2, "a", kind="billing", shard=3, parked="boom"),
                mail_row(3, "a", kind="billing", shard=3),
                mail_row(4, "b", kind="zebra"),
            ]
            await self.commit(store, *(post(row) for row in rows), Transition(actor=actor_row("c"), expected=EMPTY))
            assert await store.mail_with_key("a") == [("billing", 3), ("sales", 8)]
            assert await store.mail_with_key("c") == []

    async def test_actors_of_a_kind_are_listed_page_by_page(self) -> None:
        async with self.store() as store:
            rows = [actor_row(key) for key in ("Z", "a", "b", "é", "中", "🚚")]
            await self.commit(
                store,
                *(Transition(actor=row, expected=EMPTY) for row in [*reversed(rows), actor_row("a", kind="sales")]),
            )
            assert await store.actors("billing", limit=4) == rows[:4]
            assert await store.actors("billing", limit=4, after=rows[3].key) == rows[4:]

    async def test_actors_with_timers_are_listed_the_next_due_first(self) -> None:
        async with self.store() as store:
            rows = [
                actor_row("b", due_at_s=1.0, shard=9),
                actor_row("🚚", due_at_s=1.0, shard=3),
                actor_row("a", due_at_s=1.0, kind="sales"),
                actor_row("c", due_at_s=1.5, kind="sales", shard=0),
                actor_row("a", due_at_s=2.0),
            ]
            put = [*reversed(rows), actor_row("silent"), actor_row("d", kind="trip")]
            await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in put))
            assert await store.timed(TimedFilter(), limit=9) == rows
            for size in (1, 2, 3):
                found, after = list[ActorRow](), None
                while page := await store.timed(TimedFilter(), limit=size, after=after):
                    found, after = [*found, *page], TimedPlace.of(page[-1])
                assert found == rows

    async def test_actors_with_timers_are_listed_by_kind_key_and_instant(self) -> None:
        async with self.store() as store:
            rows = [actor_row("a-1", due_at_s=1.0), actor_row("a-2", due_at_s=2.0, kind="sales")]
            rows += [actor_row("b", due_at_s=3.0)]
            await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in rows))
            assert await store.timed(TimedFilter(kinds=("billing", "trip")), limit=9) == [rows[0], rows[2]]
            assert await store.timed(TimedFilter(prefix="a-"), limit=9) == rows[:2]
            assert await store.timed(TimedFilter(due_by_s=2.0), limit=9) == rows[:2]

    async def test_an_actor_whose_last_timer_is_gone_is_listed_no_more(self) -> None:
        async with self.store() as store:
            row = actor_row(due_at_s=1.0)
            await self.commit(store, Transition(actor=row, expected=EMPTY))
            after = replace(row, revision=2, due_at_s=None, timers=b"")
            await self.commit(store, Transition(actor=after, expected=Expected(row.revision, row.last_id)))
            assert await store.timed(TimedFilter(), limit=9) == []

    async def test_every_actor_of_every_kind_is_listed_page_by_page(self) -> None:
        async with self.store() as store:
            rows = [actor_row(key, kind=kind) for kind in ("Z", "a", "é") for key in ("a", "b", "🚚")]
            await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in reversed(rows)))
            assert await store.every_actor(limit=4) == rows[:4]
            assert await store.every_actor(limit=4, after=rows[3].address) == rows[4:8]
            assert await store.every_actor(limit=4, after=rows[8].address) == []

    async def test_all_mail_is_listed_page_by_page_whether_it_is_parked_or_delayed(self) -> None:
        async with self.store() as store:
            rows = [
                mail_row(4, "a", kind="billing", shard=0, sent_at_s=9.0),
                mail_row(1, "b", kind="billing", shard=0, parked="boom"),
                mail_row(2, "b", kind="billing", shard=0, due_at_s=1e8),
                mail_row(3, "a", kind="billing", shard=10),
                mail_row(5, "a", kind="sales", shard=1),
            ]
            await self.commit(store, *(post(row) for row in reversed(rows)))
            assert await store.every_mail(limit=2) == rows[:2]
            assert await store.every_mail(limit=2, after=rows[1]) == rows[2:4]
            assert await store.every_mail(limit=2, after=rows[3]) == rows[4:]

    async def test_all_history_is_listed_page_by_page(self) -> None:
        async with self.store() as store:
            rows = [history_row(id, conversation=conversation) for conversation in (1, 2) for id in (3, 4)]
            await self.commit(store, *(Transition(history=(row,)) for row in reversed(rows)))
            assert await store.every_handled(limit=3) == rows[:3]
            assert await store.every_handled(limit=3, after=(rows[2].conversation, rows[2].id)) == rows[3:]
