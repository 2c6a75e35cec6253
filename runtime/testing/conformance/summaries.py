"""Conformance: what actors tell of themselves beside their state."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.records import Expected, Transition
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, actor_row, told

__all__ = ["SummaryConformance"]


class SummaryConformance(ConformanceBase):
    async def test_a_row_keeps_what_its_actor_tells_of_itself(self) -> None:
        async with self.store() as store:
            rows = [actor_row("a", summary=told(error="é 🚚", progressed_at_s=2.25)), actor_row("b")]
            await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in rows))
            assert await store.load([("billing", "a"), ("billing", "b")]) == rows
            assert await store.actors("billing", limit=9) == rows
            assert await store.actors_with_key("a") == rows[:1]

    async def test_a_turn_tells_anew_and_may_tell_nothing_any_more(self) -> None:
        async with self.store() as store:
            row = actor_row(summary=told())
            await self.commit(store, Transition(actor=row, expected=EMPTY))
            for summary in (told("stuck", step=""), None, told("completed")):
                after = replace(row, revision=row.revision + 1, summary=summary)
                await self.commit(store, Transition(actor=after, expected=Expected(row.revision, row.last_id)))
                assert await store.load([row.address]) == [after]
                row = after

    async def test_a_turn_of_unknown_outcome_is_known_by_what_it_tells(self) -> None:
        async with self.store() as store:
            row = actor_row(summary=told())
            await self.commit(store, Transition(actor=row, expected=EMPTY))
            others = [replace(row, summary=summary) for summary in (None, told("stuck"))]
            asked = [Transition(actor=one, expected=EMPTY) for one in (row, *others)]
            assert await store.settle(asked) == [True, False, False]
