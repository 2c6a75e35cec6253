"""The methods of `amends.AdminService` for one act on many: sagas, or dead letters.

StartBatch, StartLetterBatch ──chosen once, kept──▶ ContinueBatch, again and again ──▶ GetBatch: what came of each
CancelBatch ──▶ what is left stays as it is
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.errors import InvalidMessage
from runtime.gateway.desk.acts import DeskActs, left_s, wait_s_of, wanted_of
from runtime.gateway.desk.answers import item_answer, run_answer
from runtime.gateway.desk.masks import check_mask, masked
from runtime.gateway.desk.pages import behind, cut, page_size_of, place_after, place_in, token_of
from runtime.gateway.interceptors import Context
from runtime.operate import letter_runs, repair_runs
from runtime.operate.letter_filter import LetterFilter
from runtime.operate.run import COUNTED_FROM, ITEMS_MAX, KeptRun
from runtime.operate.runs import RunView, cancel, carry_on, run_named, run_view, run_views, view_of
from runtime.protos import admin_pb2 as pb
from runtime.protos.saga_pb2 import LetterRun, RunCancelled

__all__ = ["DeskBatches", "filter_of"]

_ITEMS = 100
_LISTED_MAX = 2_000


class DeskBatches(DeskActs):
    async def StartBatch(self, request: pb.StartBatchRequest, context: Context) -> pb.Batch:  # noqa: N802 - named by admin.proto
        if request.act.HasField("expected_revision"):
            raise InvalidMessage("a batch expects each saga at the revision it has now: leave expected_revision out")
        request.act.who = self._who(context, request.act.who)
        desk, limit = self.desk, _limit(request.limit)
        run = await repair_runs.begin(
            desk.store,
            request.name,
            request.act,
            wanted_of(request.query),
            limit=limit,
            now_s=desk.clock.now_s(),
            confirm=_confirming(request.expected_count if request.HasField("expected_count") else None),
        )
        return _first_page(run)

    async def StartLetterBatch(self, request: pb.StartLetterBatchRequest, context: Context) -> pb.Batch:  # noqa: N802 - named by admin.proto
        wanted = filter_of(request.query)
        if wanted.is_empty:
            raise InvalidMessage(
                "a query that says nothing would mean every dead letter: say which, by kind, key_prefix, type, sender, "
                "error or error_class"
            )
        who = self._who(context, request.who)
        said = LetterRun(act=request.act, who=who, reason=request.reason, forced=request.force)
        desk, limit = self.desk, _limit(request.limit)
        run = await letter_runs.begin_fitting(
            desk.store,
            request.name,
            said,
            wanted,
            limit=limit,
            now_s=desk.clock.now_s(),
            confirm=_confirming(request.expected_count if request.HasField("expected_count") else None),
        )
        return _first_page(run)

    async def GetBatch(self, request: pb.GetBatchRequest, context: Context) -> pb.Batch:  # noqa: N802 - named by admin.proto
        check_mask(request.read_mask, pb.Batch)
        size = page_size_of(request.page_size) if request.page_size else ITEMS_MAX
        named = await run_named(self.desk.store, request.name, request.kind)
        start = int(place_in(request.page_token, _query(named.kind, named.name)) or 0)
        run = await run_view(self.desk.store, named.kind, named.name)
        return masked(_page(run, size, start), request.read_mask)

    async def ContinueBatch(self, request: pb.ContinueBatchRequest, context: Context) -> pb.Batch:  # noqa: N802 - named by admin.proto
        wait_s = wait_s_of(request.wait_s)
        desk, until_s = self.desk, self.desk.clock.monotonic_s() + left_s(context)
        run = await run_named(desk.store, request.name, request.kind)
        return _first_page(await carry_on(desk.store, run, desk.clock, wait_s=wait_s, until_s=until_s))

    async def CancelBatch(self, request: pb.CancelBatchRequest, context: Context) -> pb.Batch:  # noqa: N802 - named by admin.proto
        who, store = self._who(context, request.who), self.desk.store
        run = await run_named(store, request.name, request.kind)
        said = RunCancelled(who=who, reason=request.reason, at_s=self.desk.clock.now_s())
        await cancel(store, run.kind, run.name, said)
        return _page(await run_view(store, run.kind, run.name), ITEMS_MAX, 0)

    async def ListBatches(self, request: pb.ListBatchesRequest, context: Context) -> pb.ListBatchesResponse:  # noqa: N802 - named by admin.proto
        check_mask(request.read_mask, pb.Batch)
        query = pb.ListBatchesRequest()
        size, place = page_size_of(request.page_size), place_in(request.page_token, query)
        found = behind(await run_views(self.desk.store, limit=_LISTED_MAX), _key, place)
        told = cut(masked(run_answer(one), request.read_mask) for one in found[:size])
        more = place_after(found, _key, len(told))
        return pb.ListBatchesResponse(batches=told, next_page_token=token_of(query, more) if more else "")


def filter_of(query: pb.LetterQuery) -> LetterFilter:
    return LetterFilter(
        kind=query.kind,
        key=query.key_prefix,
        type=query.type,
        sender=query.sender,
        error=query.error,
        error_class=query.error_class,
    )


def _limit(asked: int) -> int:
    """Raises InvalidMessage."""
    if not 0 <= asked <= ITEMS_MAX:
        raise InvalidMessage(f"limit is {asked}: say a number from 1 to {ITEMS_MAX}, or none for {_ITEMS}")
    return asked or _ITEMS


def _confirming(expected: int | None) -> Callable[[int], None]:
    def confirm(chosen: int) -> None:
        if expected is None and chosen > COUNTED_FROM:
            raise InvalidMessage(
                f"{chosen:,} are chosen: say expected_count = {chosen} if these are meant, so that nobody acts on more "
                "than he has looked at"
            )
        if expected not in (None, chosen):
            raise InvalidMessage(f"expected_count is {expected}, and {chosen:,} are chosen now: look at them again")

    return confirm


def _key(run: RunView) -> tuple[float, str, str]:
    return -run.began_at_s, run.name, run.kind


def _query(kind: str, name: str) -> pb.GetBatchRequest:
    return pb.GetBatchRequest(name=name, kind=kind)


def _first_page(run: KeptRun) -> pb.Batch:
    return _page(view_of(run), ITEMS_MAX, 0)


def _page(run: RunView, size: int, start: int) -> pb.Batch:
    """The run, with its items from `start` on: as many as are asked for, and have room."""
    answer = run_answer(run)
    answer.items.extend(cut(item_answer(one) for one in run.items[start : start + size]))
    end = start + len(answer.items)
    if end < len(run.items):
        answer.next_page_token = token_of(_query(run.kind, run.name), str(end))
    return answer
