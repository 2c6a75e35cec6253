"""Conformance: what actors tell of themselves beside their state, and how it is listed."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.port import Store
from runtime.store.records import ActorRow, Expected, Transition
from runtime.store.summaries import ActorSummary, SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, actor_row, mail_row, post, told

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

    # --- listings ---

    async def test_listings_name_what_tells_of_itself_longest_without_progress_first(self) -> None:
        async with self.store() as store:
            rows = [
                _row("c", told("stuck", progressed_at_s=1.0)),
                _row("b", told("running", progressed_at_s=2.0)),
                _row("a", told("stuck", progressed_at_s=3.0), kind="trip"),
                _row("Z", told("completed", progressed_at_s=3.0), kind="trip"),
                _row("a", told("done", progressed_at_s=3.0)),
            ]
            await self._put(store, *rows, actor_row("silent"))
            assert await store.summaries(SummaryFilter(), limit=9) == [
                SummaryRow(row.kind, row.key, row.shard, _told(row), 0)
                for row in (rows[0], rows[1], rows[4], rows[3], rows[2])
            ]
            assert await _keys(store, SummaryFilter(), order=SummaryOrder.KEY) == ["a", "b", "c", "Z", "a"]

    async def test_listings_go_on_from_any_place_page_by_page(self) -> None:
        async with self.store() as store:
            keys = ("Z", "a", "b", "é", "中", "🚚")
            statuses = ("stuck", "running", "completed")
            rows = [
                _row(key, told(status, progressed_at_s=float(number % 3)), kind=kind)
                for kind in ("billing", "trip")
                for number, (key, status) in enumerate(zip(keys, statuses * 2, strict=True))
            ]
            await self._put(store, *rows)
            for order in SummaryOrder:
                whole = await store.summaries(SummaryFilter(), limit=99, order=order)
                assert len(whole) == len(rows)
                for limit in (1, 5):
                    paged, after = list[SummaryRow](), None
                    while page := await store.summaries(SummaryFilter(), limit=limit, order=order, after=after):
                        paged, after = [*paged, *page], page[-1].place
                    assert paged == whole

    async def test_a_page_goes_on_where_its_last_row_was_though_that_is_gone(self) -> None:
        async with self.store() as store:
            await self._put(store, *(_row(key, told(progressed_at_s=5.0)) for key in "bd"), _row("a", told("stuck")))
            gone = SummaryPlace(5.0, "billing", "c")
            assert await _keys(store, SummaryFilter(), after=gone) == ["d"]
            assert await _keys(store, SummaryFilter(), after=gone, order=SummaryOrder.KEY) == ["d"]

    async def test_listings_are_filtered_by_all_that_is_asked_for(self) -> None:
        async with self.store() as store:
            await self._put(
                store,
                _row(
                    "JOB-1",
                    told("stuck", step="bill", error="No Refund: 50 % off_", progressed_at_s=1.0, owed_at_s=1.0),
                ),
                _row("JOB-2", told(step="bill, ship", progressed_at_s=2.0, started_at_s=2.0, unknown_at_s=2.0)),
                _row("job-3", told("completed", step="billing", version="bb02", progressed_at_s=3.0)),
                _row("JOB-1", told("running", step="", progressed_at_s=4.0, error="É"), kind="trip"),
            )
            for wanted, keys in _CASES:
                for order in SummaryOrder:
                    assert sorted(await _keys(store, wanted, order=order)) == sorted(keys), wanted

    async def test_dead_letters_of_what_is_listed_are_counted_and_can_be_asked_for(self) -> None:
        async with self.store() as store:
            await self._put(store, *(_row(key, told()) for key in "abc"))
            await self.commit(store, *(post(mail_row(number, "b", parked="boom")) for number in (1, 2)))
            await self.commit(store, post(mail_row(3, "c")), post(mail_row(4, "b", kind="trip", parked="boom")))
            found = await store.summaries(SummaryFilter(), limit=9)
            assert [(row.key, row.dead_letters) for row in found] == [("a", 0), ("b", 2), ("c", 0)]
            for order in SummaryOrder:
                assert await _keys(store, SummaryFilter(has_dead_letters=True), order=order) == ["b"]

    async def test_a_listing_shows_what_the_last_turn_told(self) -> None:
        async with self.store() as store:
            row = _row("a", told("running"))
            await self._put(store, row)
            for status in ("stuck", "completed"):
                after = replace(row, revision=row.revision + 1, summary=told(status))
                await self.commit(store, Transition(actor=after, expected=Expected(row.revision, row.last_id)))
                row = after
                assert [one.summary.status for one in await store.summaries(SummaryFilter(), limit=9)] == [status]
                assert await store.summary_counts() == [("billing", status, 1)]

    async def test_instances_are_counted_by_kind_and_status(self) -> None:
        async with self.store() as store:
            assert await store.summary_counts() == []
            await self._put(store, *(_row(key, told("stuck")) for key in "ab"), _row("c", told()), actor_row("d"))
            await self._put(store, _row("a", told(), kind="trip"))
            assert await store.summary_counts() == [
                ("billing", "running", 1),
                ("billing", "stuck", 2),
                ("trip", "running", 1),
            ]

    async def _put(self, store: Store, *rows: ActorRow) -> None:
        await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in rows))


_CASES: tuple[tuple[SummaryFilter, list[str]], ...] = (
    (SummaryFilter(kind="trip"), ["JOB-1"]),
    (SummaryFilter(kind="nothing"), []),
    (SummaryFilter(statuses=("stuck", "completed", "nothing")), ["JOB-1", "job-3"]),
    (SummaryFilter(not_statuses=("stuck", "completed")), ["JOB-2", "JOB-1"]),
    (SummaryFilter(statuses=("stuck", "running"), not_statuses=("running",)), ["JOB-1"]),
    (SummaryFilter(prefix="JOB-"), ["JOB-1", "JOB-2", "JOB-1"]),
    (SummaryFilter(prefix="OB"), []),
    (SummaryFilter(prefix="JOB_"), []),
    (SummaryFilter(step="bill"), ["JOB-1", "JOB-2"]),
    (SummaryFilter(step="ship"), ["JOB-2"]),
    (SummaryFilter(step="bil"), []),
    (SummaryFilter(error="no refund"), ["JOB-1"]),
    (SummaryFilter(error="50 % OFF_"), ["JOB-1"]),
    (SummaryFilter(error="é"), []),
    (SummaryFilter(error="É"), ["JOB-1"]),
    (SummaryFilter(progressed_by_s=2.0), ["JOB-1", "JOB-2"]),
    (SummaryFilter(progressed_by_s=0.5), []),
    (SummaryFilter(started_by_s=1.0), ["JOB-1", "job-3", "JOB-1"]),
    (SummaryFilter(not_carried=("billing/aa01", "other/bb02")), ["job-3", "JOB-1"]),
    (SummaryFilter(not_carried=()), ["JOB-1", "JOB-2", "job-3", "JOB-1"]),
    (SummaryFilter(owes=True), ["JOB-1"]),
    (SummaryFilter(is_unknown=True), ["JOB-2"]),
    (SummaryFilter(owes=True, is_unknown=True), []),
    (SummaryFilter(kind="billing", statuses=("running",), step="ship", prefix="JOB"), ["JOB-2"]),
)


def _row(key: str, summary: ActorSummary, *, kind: str = "billing") -> ActorRow:
    return actor_row(key, kind=kind, summary=summary)


def _told(row: ActorRow) -> ActorSummary:
    assert row.summary is not None
    return row.summary


async def _keys(
    store: Store,
    wanted: SummaryFilter,
    *,
    order: SummaryOrder = SummaryOrder.PROGRESS,
    after: SummaryPlace | None = None,
) -> list[str]:
    return [row.key for row in await store.summaries(wanted, limit=99, order=order, after=after)]
