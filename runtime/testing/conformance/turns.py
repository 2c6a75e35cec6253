"""Conformance: one transition at a time is written whole, or it is refused and leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

from runtime.store.port import Store
from runtime.store.records import ActorRow, MailRow, Transition, Verdict
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, SHARD, actor_row, id_of, mail_row, post, turn

__all__ = ["TurnConformance"]

_LOOKS = 40  # So many turns are committed while another reader looks.


class TurnConformance(ConformanceBase):
    async def test_a_posted_message_waits_as_it_was_given(self) -> None:
        async with self.store() as store:
            row = mail_row(1, sent_at_s=1.25, sequence=7, due_at_s=2.5, attempts=1)
            await self.commit(store, post(row))
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == [row]

    async def test_a_turn_writes_state_history_and_mail(self) -> None:
        async with self.store() as store:
            handled = turn(1, mail=[mail_row(2, "b", kind="sales")], due_at_s=300.0)
            await self.commit(store, post(mail_row(1)), handled)
            assert await store.load([("billing", "a")]) == [handled.actor]
            assert await store.handled([(id_of(0), id_of(1))]) == list(handled.history)
            assert await store.waiting_for(("sales", "b"), SHARD, limit=9) == list(handled.mail)
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == []

    async def test_an_unknown_actor_and_an_unknown_message_read_as_none(self) -> None:
        async with self.store() as store:
            assert await store.load([]) == []
            assert await store.load([("billing", "a"), ("sales", "b")]) == [None, None]
            assert await store.handled([(id_of(0), id_of(1))]) == [None]

    async def test_many_rows_are_loaded_in_the_order_asked_for(self) -> None:
        async with self.store() as store:
            keys = [f"k{number}" for number in range(100)]
            rows = [actor_row(key, last=number) for number, key in enumerate(keys)]
            await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in rows))
            found = await store.load([("billing", key) for key in [*reversed(keys), "none"]])
            assert found == [*reversed(rows), None]

    async def test_s27_no_lost_update(self) -> None:
        async with self.store() as store:
            numbers = [1, 2, 3]
            await self.commit(store, *(post(mail_row(number)) for number in numbers))
            # All three start from the same state. One gets through, and the others start again from what it left.
            while numbers:
                [start] = await store.load([("billing", "a")])
                state = b"" if start is None else start.state
                attempts = [turn(number, start=start, state=state + b"%d" % number) for number in numbers]
                verdicts = await store.commit(attempts)
                assert verdicts == [Verdict.COMMITTED] + [Verdict.CONFLICT] * (len(numbers) - 1)
                del numbers[0]
            [row] = await store.load([("billing", "a")])
            assert row is not None
            assert (row.state, row.revision) == (b"123", 3)

    async def test_s28_a_stale_turn_conflicts_each_time_it_is_tried(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2)), turn(1))
            stale = turn(2)
            assert [await self.one(store, stale) for _ in range(3)] == [Verdict.CONFLICT] * 3
            [fresh] = await store.load([("billing", "a")])
            assert await self.one(store, turn(2, start=fresh)) is Verdict.COMMITTED

    async def test_an_equal_revision_of_another_history_conflicts(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2)), turn(1))
            other = actor_row(revision=1, last=9)
            assert await self.one(store, turn(2, start=other)) is Verdict.CONFLICT

    async def test_a_turn_that_expects_a_row_conflicts_when_there_is_none(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(2)))
            assert await self.one(store, turn(2, start=actor_row(last=1))) is Verdict.CONFLICT

    async def test_s31_a_refused_turn_leaves_nothing_behind(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2)), turn(1))
            before = await self._everything(store)
            sends = [mail_row(8, "b")]
            lost_race = turn(2, state=b"never", mail=sends)
            [row] = await store.load([("billing", "a")])
            nothing_there = turn(7, start=row, state=b"never", mail=sends)
            handled_already = turn(1, start=row, state=b"never", mail=sends)
            known = post(mail_row(9, "b"), mail_row(2))
            attempts = [lost_race, nothing_there, handled_already, known]
            verdicts = [await self.one(store, attempt) for attempt in attempts]
            assert verdicts == [Verdict.CONFLICT, Verdict.MAIL_MISSING, Verdict.MAIL_MISSING, Verdict.DUPLICATE]
            assert await self._everything(store) == before

    @staticmethod
    async def _everything(store: Store) -> list[object]:
        mail = [await store.waiting_for(("billing", key), SHARD, limit=99) for key in ("a", "b")]
        return [await store.actors("billing", limit=99), await store.conversation(id_of(0)), *mail]

    async def test_s32_effects_on_several_actors_appear_together_and_none_before_the_commit(self) -> None:
        async with self.stores(2) as (store, other):
            numbers = range(1, _LOOKS + 1)
            await self.commit(store, *(post(mail_row(number)) for number in numbers))
            assert await self._looks(other, 0) == [0, 0, 0, 0], "nothing is there before it is committed"
            is_over = False

            async def turns() -> None:
                nonlocal is_over
                start: ActorRow | None = None
                for number in numbers:
                    one = turn(number, start=start, mail=[mail_row(100 + number, "b"), _to_sales(200 + number)])
                    await self.commit(store, one)
                    start = one.actor
                is_over = True

            async def look() -> None:
                first = 0
                while not is_over:
                    seen = await self._looks(other, first)
                    assert seen == sorted(seen), f"a turn was seen in part: {seen}, beginning with look {first}"
                    first += 1

            await asyncio.gather(turns(), look())  # replay: what the reader sees in between differs from run to run
            for reader in (store, other):
                assert await self._looks(reader, 0) == [_LOOKS] * 4

    @staticmethod
    async def _looks(store: Store, first: int) -> list[int]:
        """Counts the turns in the state, in the history and in the mail of others, one after another."""

        async def state() -> int:
            [row] = await store.load([("billing", "a")])
            return 0 if row is None else row.revision

        async def history() -> int:
            return len(await store.conversation(id_of(0)))

        async def mail(kind: str, key: str, shard: int) -> int:
            return len(await store.waiting_for((kind, key), shard, limit=999))

        looks: list[Callable[[], Awaitable[int]]] = [
            state,
            history,
            partial(mail, "billing", "b", SHARD),
            partial(mail, "sales", "c", 5),
        ]
        first %= len(looks)
        return [await look() for look in (*looks[first:], *looks[:first])]

    async def test_s33_what_is_loaded_cannot_change_what_is_stored(self) -> None:
        async with self.store() as store:
            sends = [mail_row(10), replace(mail_row(11), parked="no", parked_at_s=100.0)]
            await self.commit(store, post(mail_row(1)), turn(1, mail=sends, due_at_s=5.0))
            address, every = ("billing", "a"), 1e9
            loads: list[Callable[[], Awaitable[list[Any]]]] = [
                partial(store.load, [address]),
                partial(store.handled, [(id_of(0), id_of(1))]),
                partial(store.waiting, "billing", [SHARD], due_before_s=every, sent_before_s=every, limit=9),
                partial(store.waiting_for, address, SHARD, limit=9),
                partial(store.due, "billing", [SHARD], before_s=every, limit=9),
                partial(store.conversation, id_of(0)),
                partial(store.mail_of_conversation, id_of(0)),
                partial(store.dead_letters, limit=9),
                partial(store.actors_with_key, "a"),
                partial(store.mail_with_key, "a"),
                partial(store.actors, "billing", limit=9),
            ]
            for load in loads:
                mine = await load()
                before = list(mine)
                assert before
                assert None not in before
                mine.clear()
                assert await load() == before, f"{load} gave away what the store has"


def _to_sales(number: int) -> MailRow:
    return mail_row(number, "c", kind="sales", shard=5)
