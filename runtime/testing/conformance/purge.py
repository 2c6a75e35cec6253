"""Conformance: forgetting old conversations, whole or not at all."""

from __future__ import annotations

import json

from runtime.store.lived import Lived
from runtime.store.port import Store
from runtime.store.records import Transition, Verdict
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, actor_row, history_row, id_of, mail_row, post

__all__ = ["PurgeConformance"]


def _handled(number: int, conversation: int, *, at_s: float = 100.0) -> Transition:
    return Transition(history=(history_row(number, conversation=conversation, handled_at_s=at_s),))


class PurgeConformance(ConformanceBase):
    async def test_a_conversation_at_rest_is_forgotten_whole(self) -> None:
        async with self.store() as store:
            await self.commit(store, _handled(1, 5), _handled(2, 5, at_s=150.0), _handled(3, 6, at_s=300.0))
            assert await store.purge(handled_before_s=200.0, limit=10) == (2, b"")
            assert await store.conversation(id_of(5)) == []
            assert len(await store.conversation(id_of(6))) == 1

    async def test_one_recent_message_keeps_all_of_its_conversation(self) -> None:
        async with self.store() as store:
            await self.commit(store, _handled(1, 5), _handled(2, 5, at_s=200.0))
            assert await store.purge(handled_before_s=200.0, limit=10) == (0, b"")
            assert len(await store.conversation(id_of(5))) == 2

    async def test_waiting_mail_keeps_its_conversation_dead_letters_too(self) -> None:
        async with self.store() as store:
            await self.commit(store, *(_handled(number, number) for number in (5, 6, 7)))
            await self.commit(store, post(mail_row(11, conversation=5)), post(mail_row(12, conversation=6, parked="x")))
            assert await store.purge(handled_before_s=200.0, limit=10) == (1, b"")
            assert [len(await store.conversation(id_of(number))) for number in (5, 6, 7)] == [1, 1, 0]

    async def test_a_live_timer_keeps_the_conversation_of_its_actor(self) -> None:
        async with self.store() as store:
            await self.commit(store, *(_handled(number, number) for number in (5, 6)))
            await self.commit(
                store,
                Transition(actor=actor_row("a", conversation=5, due_at_s=1e9), expected=EMPTY),
                Transition(actor=actor_row("b", conversation=6), expected=EMPTY),
            )
            assert await store.purge(handled_before_s=200.0, limit=10) == (1, b"")
            assert [len(await store.conversation(id_of(number))) for number in (5, 6)] == [1, 0]

    async def test_a_live_timer_keeps_its_own_conversation_too(self) -> None:
        async with self.store() as store:
            await self.commit(store, *(_handled(number, number) for number in (0xA5, 0xA6, 0xA7, 0xA8)))
            others = json.dumps([id_of(number).hex().upper() for number in (0xA6, 0xA7)])
            timed = actor_row("a", conversation=0xA5, due_at_s=1e9, timer_conversations=others)
            await self.commit(store, Transition(actor=timed, expected=EMPTY))
            assert await store.load([("billing", "a")]) == [timed]
            assert await store.purge(handled_before_s=200.0, limit=10) == (1, b"")
            kept = [len(await store.conversation(id_of(number))) for number in (0xA5, 0xA6, 0xA7, 0xA8)]
            assert kept == [1, 1, 1, 0]

    async def test_purging_goes_on_in_small_steps_where_it_left_off(self) -> None:
        async with self.store() as store:
            await self.commit(store, *(_handled(10 * c + n, c) for c in range(1, 6) for n in range(3)))
            steps = await self._purge_in_steps(store, limit=4)
            assert [gone for gone, _ in steps] == [6, 6, 3]
            assert steps[-1] == (3, b"")

    @staticmethod
    async def _purge_in_steps(store: Store, *, limit: int) -> list[tuple[int, bytes]]:
        steps = [await store.purge(handled_before_s=200.0, limit=limit)]
        while steps[-1][1]:
            steps.append(await store.purge(handled_before_s=200.0, limit=limit, after=steps[-1][1]))
        return steps

    async def test_within_the_retention_a_copy_is_known_and_after_it_is_not(self) -> None:
        async with self.store() as store:
            await self.commit(store, _handled(1, 5))
            assert await self.one(store, post(mail_row(1, conversation=5))) is Verdict.DUPLICATE
            await store.purge(handled_before_s=200.0, limit=10)
            assert await self.one(store, post(mail_row(1, conversation=5))) is Verdict.COMMITTED

    async def test_how_much_time_was_lived_through_is_kept_as_it_was_last_written(self) -> None:
        async with self.store() as store:
            assert await store.lived() == Lived()
            for lived in (Lived(1.25, ((0.0, 1_700_000_000.123456),)), Lived(7.5, ((0.0, 5.0), (3.25, 4.5)))):
                await store.put_lived(lived)
                assert await store.lived() == lived
                assert (await store.cluster()).lived_until_s == lived.until_s

    async def test_an_empty_store_has_nothing_to_forget(self) -> None:
        async with self.store() as store:
            assert await store.purge(handled_before_s=1e9, limit=10) == (0, b"")
