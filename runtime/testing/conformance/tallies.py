"""Conformance: what is counted for whoever watches a store."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.port import Store
from runtime.store.records import ActorRow, Expected, Transition
from runtime.store.summaries import ActorSummary
from runtime.store.tallies import Tallies, Tally
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, actor_row, mail_row, post, told

__all__ = ["TallyConformance"]


class TallyConformance(ConformanceBase):
    async def test_in_an_empty_store_there_is_nothing_to_count(self) -> None:
        async with self.store() as store:
            before_s = await store.now_s()
            found = await _tallies(store)
            assert found == Tallies(found.now_s)
            assert before_s <= found.now_s <= await store.now_s()

    async def test_actors_are_counted_by_kind_and_status_unless_nobody_asks_for_it(self) -> None:
        async with self.store() as store:
            rows = [
                _row("a", told("stuck", progressed_at_s=5.0)),
                _row("b", told("stuck", progressed_at_s=3.0)),
                _row("c", told("completed", progressed_at_s=1.0)),
                _row("a", told("running", progressed_at_s=4.0), kind="é\0"),
                actor_row("silent"),
            ]
            await self._put(store, *rows)
            found = await _tallies(store, uncounted=("completed",))
            assert found.statuses == (("billing", "completed"), ("billing", "stuck"), ("é\0", "running"))
            assert found.actors == (("running", Tally("é\0", 1, 4.0)), ("stuck", Tally("billing", 2, 3.0)))
            assert found.owed == found.unknown == ()

    async def test_what_owes_an_undo_and_what_is_unknown_is_counted_with_the_oldest(self) -> None:
        async with self.store() as store:
            await self._put(
                store,
                _row("a", told("compensating", owed_at_s=7.0)),
                _row("b", told("stuck", owed_at_s=6.5, unknown_at_s=8.0)),
                _row("c", told("running", unknown_at_s=9.0), kind="trip"),
                _row("d", told("running")),
            )
            found = await _tallies(store)
            assert found.owed == (Tally("billing", 2, 6.5),)
            assert found.unknown == (Tally("billing", 1, 8.0), Tally("trip", 1, 9.0))

    async def test_what_the_last_turn_told_is_counted(self) -> None:
        async with self.store() as store:
            row = _row("a", told("stuck", owed_at_s=7.0))
            await self._put(store, row)
            after = actor_row("a", revision=2, summary=told("compensated"))
            await self.commit(store, Transition(actor=after, expected=Expected(row.revision, row.last_id)))
            found = await _tallies(store)
            assert found.owed == () and found.statuses == (("billing", "compensated"),)

    async def test_mail_is_as_old_as_it_could_be_handled_and_dead_letters_as_they_are_given_up(self) -> None:
        async with self.store() as store:
            rows = [
                mail_row(1, "a", sent_at_s=30.0),
                mail_row(2, "a", sent_at_s=10.0, due_at_s=50.0),
                mail_row(3, "b", sent_at_s=1.0, parked="boom", parked_at_s=70.0),
                mail_row(4, "c", sent_at_s=1.0, parked="boom", parked_at_s=60.0),
                mail_row(5, "a", kind="trip", sent_at_s=20.0, due_at_s=90.0),
            ]
            await self.commit(store, *(post(row) for row in rows))
            found = await _tallies(store)
            assert found.waiting == (Tally("billing", 2, 30.0), Tally("trip", 1, 90.0))
            assert found.parked == (Tally("billing", 2, 60.0),)

    async def test_a_count_ends_at_its_limit_and_the_oldest_actor_is_found_all_the_same(self) -> None:
        async with self.store() as store:
            summaries = [told("stuck", progressed_at_s=9.0 - at, owed_at_s=20.0 - at) for at in (0.0, 1.0, 2.0)]
            await self._put(store, *(_row(key, one) for key, one in zip("abc", summaries, strict=True)))
            rows = [
                *(mail_row(number, key, sent_at_s=10.0 - number) for number, key in enumerate("abc")),
                *(mail_row(number, "z", parked="boom", parked_at_s=10.0 - number) for number in (5, 6, 7)),
            ]
            await self.commit(store, *(post(row) for row in rows))
            found = await _tallies(store, actors_max=2, mail_max=2)
            assert found.actors == (("stuck", Tally("billing", 2, 7.0)),)
            assert found.owed == (Tally("billing", 2, 18.0),)
            assert found.parked == (Tally("billing", 2, 3.0),)
            assert found.waiting == (Tally("billing", 2, 9.0),)  # the first rows by their keys

    async def test_timers_that_are_due_are_counted_by_kind_with_the_first_whatever_their_shards(self) -> None:
        async with self.store() as store:
            now_s = await store.now_s()
            await self._put(
                store,
                actor_row("a", due_at_s=7.0),
                replace(actor_row("b", due_at_s=5.0), shard=1),
                replace(actor_row("c", due_at_s=6.0), shard=2),
                actor_row("d", due_at_s=now_s + 900.0),
                actor_row("e"),
                actor_row("a", kind="trip", due_at_s=9.0),
                actor_row("a", kind="é\0", due_at_s=now_s + 900.0),
            )
            assert (await _tallies(store)).late == (Tally("billing", 3, 5.0), Tally("trip", 1, 9.0))
            assert (await _tallies(store, actors_max=2)).late == (Tally("billing", 2, 5.0), Tally("trip", 1, 9.0))

    async def _put(self, store: Store, *rows: ActorRow) -> None:
        await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in rows))


async def _tallies(
    store: Store, *, uncounted: tuple[str, ...] = (), actors_max: int = 99, mail_max: int = 99
) -> Tallies:
    return await store.tallies(uncounted=uncounted, actors_max=actors_max, mail_max=mail_max)


def _row(key: str, summary: ActorSummary, *, kind: str = "billing") -> ActorRow:
    return actor_row(key, kind=kind, summary=summary)
