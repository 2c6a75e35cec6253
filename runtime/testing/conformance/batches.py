"""Conformance: a batch gives a verdict for each transition, in order. None depends on a neighbour's failure."""

from __future__ import annotations

import asyncio

from runtime.store.records import Outcome, Transition, Verdict
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, SHARD, actor_row, history_row, id_of, mail_row, post, turn

__all__ = ["BatchConformance"]


class BatchConformance(ConformanceBase):
    async def test_an_empty_batch_has_no_verdicts(self) -> None:
        async with self.store() as store:
            assert await store.commit([]) == []

    async def test_an_empty_transition_is_committed(self) -> None:
        async with self.store() as store:
            await self.commit(store, Transition(), Transition())

    async def test_one_lost_race_does_not_sink_its_neighbours(self) -> None:
        async with self.store() as store:
            keys = [f"k{number}" for number in range(40)]
            await self.commit(store, *(post(mail_row(number, key)) for number, key in enumerate(keys)))
            await self.commit(store, post(mail_row(90, keys[7])), turn(90, keys[7]))
            verdicts = await store.commit([turn(number, key) for number, key in enumerate(keys)])
            assert verdicts == [Verdict.CONFLICT if number == 7 else Verdict.COMMITTED for number in range(40)]
            rows = await store.load([("billing", key) for key in keys])
            assert [row is not None and row.last_id for row in rows] == [
                id_of(90 if number == 7 else number) for number in range(40)
            ]

    async def test_each_kind_of_refusal_is_told_apart_in_one_batch(self) -> None:
        async with self.store() as store:
            await self.commit(store, *(post(mail_row(number, f"k{number}")) for number in range(4)), turn(0, "k0"))
            verdicts = await store.commit(
                [
                    turn(1, "k1"),
                    turn(0, "k0"),  # Its row is there already.
                    turn(7, "k3"),  # There is no such mail.
                    post(mail_row(2, "k2")),  # It waits already.
                    post(mail_row(8, "k8")),
                    turn(2, "k2"),
                ]
            )
            assert verdicts == [
                Verdict.COMMITTED,
                Verdict.CONFLICT,
                Verdict.MAIL_MISSING,
                Verdict.DUPLICATE,
                Verdict.COMMITTED,
                Verdict.COMMITTED,
            ]

    async def test_later_transitions_see_what_earlier_ones_of_the_batch_did(self) -> None:
        async with self.store() as store:
            first = turn(1)
            verdicts = await store.commit(
                [
                    post(mail_row(1)),
                    first,
                    post(mail_row(1)),
                    post(mail_row(2)),
                    turn(2, start=first.actor),
                    turn(2, start=first.actor),
                ]
            )
            assert verdicts == [
                Verdict.COMMITTED,
                Verdict.COMMITTED,
                Verdict.DUPLICATE,
                Verdict.COMMITTED,
                Verdict.COMMITTED,
                Verdict.CONFLICT,
            ]
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == []

    async def test_what_one_transition_handled_the_next_cannot_bring_back(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)), turn(1), post(mail_row(1), check_duplicates=False))
            await self.commit(store, post(mail_row(2), check_duplicates=False))
            [row] = await store.load([("billing", "a")])
            copies = post(mail_row(2), mail_row(3), check_duplicates=False)
            await self.commit(store, copies, turn(2, start=row), copies)
            assert [row.id for row in await store.waiting_for(("billing", "a"), SHARD, limit=9)] == [id_of(3)]

    async def test_a_copy_behind_which_its_original_is_removed_does_not_stay(self) -> None:
        async with self.store() as store:
            await self.commit(store, post(mail_row(1)))
            removal = Transition(address=("billing", "a"), shard=SHARD, consumed=(id_of(1),))
            await self.commit(store, post(mail_row(1), check_duplicates=False), removal)
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == []

    async def test_a_tombstone_refuses_what_comes_after_it_and_leaves_what_waits(self) -> None:
        async with self.store() as store:
            tombstone = Transition(history=(history_row(1, outcome=Outcome.UNDONE),))
            await self.commit(store, post(mail_row(1), check_duplicates=False), tombstone)
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == [mail_row(1)]
            # It can't be handled any more, only removed.
            assert await self.one(store, turn(1)) is Verdict.MAIL_MISSING
            await self.commit(store, Transition(address=("billing", "a"), shard=SHARD, consumed=(id_of(1),)))
            assert await store.waiting_for(("billing", "a"), SHARD, limit=9) == []

    async def test_mail_that_is_removed_and_posted_in_one_transition_waits_unless_it_was_handled(self) -> None:
        """So what the history has is taken out, and what it has lost again since somebody looked stays."""
        async with self.store() as store:
            await self.commit(store, post(mail_row(1), mail_row(2), mail_row(3)))
            await self.commit(store, Transition(history=(history_row(1, outcome=Outcome.UNDONE),)))
            taken_out = [
                Transition(address=("billing", "a"), shard=SHARD, consumed=(id_of(number),), mail=(mail_row(number),))
                for number in (1, 2)
            ]
            await self.commit(store, *taken_out, post(mail_row(4)))
            waits = await store.waiting_for(("billing", "a"), SHARD, limit=9)
            assert waits == [mail_row(2), mail_row(3), mail_row(4)]

    async def test_a_large_batch_and_a_wide_fan_out_are_one_commit(self) -> None:
        async with self.store() as store:
            fan_out = [mail_row(10_000 + number, f"s{number}", kind="sales") for number in range(700)]
            await self.commit(store, *(post(mail_row(number, f"k{number}")) for number in range(500)))
            await self.commit(
                store, *(turn(number, f"k{number}") for number in range(1, 500)), turn(0, "k0", mail=fan_out)
            )
            assert len(await store.actors("billing", limit=999)) == 500
            found = await store.waiting("sales", [SHARD], due_before_s=1e9, sent_before_s=1e9, limit=999)
            assert len(found) == 700

    async def test_stores_that_race_for_one_actor_let_one_through(self) -> None:
        async with self.stores(3) as stores:
            await self.commit(stores[0], *(post(mail_row(number)) for number in range(3)))
            races = [store.commit([turn(number)]) for number, store in enumerate(stores)]
            answers = await asyncio.gather(*races)  # replay: real stores race here, and no run is like another
            verdicts = [verdict for [verdict] in answers]
            assert sorted(verdicts) == [Verdict.COMMITTED, Verdict.CONFLICT, Verdict.CONFLICT]

    async def test_s27_no_update_is_lost_between_stores(self) -> None:
        async with self.stores(4) as stores:
            await self.commit(stores[0], Transition(actor=actor_row(revision=1, state=b"\x00"), expected=EMPTY))

            async def add(number: int) -> None:
                store, left = stores[number], 10
                while left:
                    [row] = await store.load([("billing", "a")])
                    assert row is not None
                    id = 1_000 * number + left
                    await self.commit(store, post(mail_row(id), check_duplicates=False))
                    verdict = await self.one(store, turn(id, start=row, state=bytes([row.state[0] + 1])))
                    left -= verdict is Verdict.COMMITTED

            await asyncio.gather(*map(add, range(len(stores))))  # replay: real stores race here
            [row] = await stores[0].load([("billing", "a")])
            assert row is not None
            assert (row.state, row.revision) == (bytes([40]), 41)
