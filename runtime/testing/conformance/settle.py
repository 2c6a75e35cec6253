"""Conformance: what became of a commit that ended in an unknown outcome."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.records import Expected, Transition
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, SHARD, actor_row, id_of, mail_row, post, turn

__all__ = ["SettleConformance"]


class SettleConformance(ConformanceBase):
    async def test_what_was_written_is_there_and_what_was_not_is_not(self) -> None:
        async with self.store() as store:
            written = [post(mail_row(1)), turn(1, mail=[mail_row(2, "b")]), post(mail_row(3))]
            await self.commit(store, *written)
            [row] = await store.load([("billing", "a")])
            assert await store.settle([*written, turn(3, start=row), post(mail_row(4))]) == [True] * 3 + [False] * 2

    async def test_a_turn_is_told_from_that_of_another_node(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), turn(1, node="two@1"))
            assert await store.settle([turn(1, node="one@1"), turn(1, node="two@1")]) == [False, True]

    async def test_a_turn_is_told_from_one_at_another_revision(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), turn(1))
            assert await store.settle([turn(1, start=actor_row(revision=4))]) == [False]

    async def test_a_turn_is_told_from_another_of_the_same_node_and_revision(self) -> None:
        """An actor may leave memory during its commit, come back, and begin the same turn anew."""
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), turn(1, handled_at_s=200.0))
            assert await store.settle([turn(1, handled_at_s=201.0), turn(1, handled_at_s=200.0)]) == [False, True]

    async def test_a_turn_is_found_after_later_turns(self) -> None:
        async with self.store() as store:
            first = turn(1)
            await self.commit(store, post(mail_row(1)), post(mail_row(2)), first, turn(2, start=first.actor))
            assert await store.settle([first]) == [True]

    async def test_a_post_is_found_whether_it_waits_or_was_handled(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2, "b")), turn(1))
            assert await store.settle([post(mail_row(1)), post(mail_row(2, "b"))]) == [True, True]

    async def test_a_rescheduling_is_known_by_what_it_left(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2)))
            first = Transition(
                address=("billing", "a"), shard=SHARD, rescheduled=(mail_row(1, attempts=1, due_at_s=5),)
            )
            second = replace(first, rescheduled=(mail_row(2, parked="boom"),))
            await self.commit(store, first)
            assert await store.settle([first, second]) == [True, False]

    async def test_a_removal_is_known_by_what_is_gone(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), post(mail_row(2)))
            removal = Transition(address=("billing", "a"), shard=SHARD, consumed=(id_of(1),))
            await self.commit(store, removal)
            assert await store.settle([removal, replace(removal, consumed=(id_of(2),))]) == [True, False]
            given_up = [replace(removal, consumed=(), given_up=(id_of(number),)) for number in (1, 2)]
            assert await store.settle(given_up) == [True, False]

    async def test_a_row_without_history_is_known_by_itself(self) -> None:
        async with self.store() as store:
            row = actor_row(last=1)
            first = Transition(actor=row, expected=EMPTY)
            second = Transition(actor=replace(row, revision=2, last_id=id_of(2)), expected=Expected(1, id_of(1)))
            await self.commit(store, first)
            assert await store.settle([first, second, Transition()]) == [True, False, True]

    async def test_what_settled_as_missing_can_be_committed_anew(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)))
            assert await store.settle([turn(1)]) == [False]
            await self.commit(store, turn(1))
            assert await store.settle([turn(1)]) == [True]
