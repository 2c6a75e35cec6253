"""One act on many by real calls: begun, watched, carried on, cancelled, and looked at afterwards, as on the page."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from runtime.gateway.desk import streams
from runtime.operate import runs
from runtime.protos import admin_pb2 as pb
from runtime.protos.saga_pb2 import LetterRun
from runtime.store.memory import MemoryStore
from tests.unit.gateway.desk.serving import Stub, act_of, serving, stuck_row
from tests.unit.operate.conftest import store
from tests.unit.operate.rows import fill, id_of, join, mail

__all__ = ["store"]

Code = grpc.StatusCode
DOWN = pb.LetterQuery(error_class="OSError")


async def filled(store: MemoryStore) -> None:
    """30 bills that a bank's outage has parked, and two labels that were wrong."""
    await join(store, "billing-1", kinds=("billing", "warehouse"))
    await fill(store, *(mail(number, parked=f"OSError: try {number}") for number in range(1, 31)))
    await fill(store, *(mail(number, kind="warehouse", parked="ValueError: no") for number in (41, 42)))


def letters(name: str, query: pb.LetterQuery = DOWN, *, count: int | None = 30) -> pb.StartLetterBatchRequest:
    said: dict[str, Any] = {"who": "ann", "reason": "the bank is back"}
    return pb.StartLetterBatchRequest(name=name, query=query, act=LetterRun.REPLAY, **said, expected_count=count)


async def refused(call: Any, code: grpc.StatusCode, said: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await call
    assert told.value.code() is code and said in (told.value.details() or ""), told.value


async def parked(store: MemoryStore) -> int:
    return len(await store.dead_letters(limit=100))


async def test_dead_letters_are_told_in_groups_page_by_page_and_a_query_chooses_among_them(store: MemoryStore) -> None:
    await filled(store)
    async with serving(store) as stub:
        first = await stub.GroupDeadLetters(pb.GroupDeadLettersRequest(page_size=1))
        (bills,) = first.groups
        assert (bills.kind, bills.error_class, bills.count, first.is_all) == ("billing", "OSError", 30, True)
        mask = FieldMask(paths=["kind", "count"])
        asked = pb.GroupDeadLettersRequest(page_size=1, page_token=first.next_page_token, read_mask=mask)
        second = await stub.GroupDeadLetters(asked)
        assert list(second.groups) == [pb.DeadLetterGroup(kind="warehouse", count=2)] and not second.next_page_token
        group = pb.LetterQuery(kind="warehouse", error_class="ValueError", type=bills.type)
        found = await stub.ListDeadLetters(pb.ListDeadLettersRequest(query=group))
        assert [one.id for one in found.letters] == [id_of(41).hex(), id_of(42).hex()]
        page = await stub.ListDeadLetters(pb.ListDeadLettersRequest(query=DOWN, page_size=29))
        other = pb.ListDeadLettersRequest(query=group, page_token=page.next_page_token)
        await refused(stub.ListDeadLetters(other), Code.INVALID_ARGUMENT, "with the same query")


async def test_nobody_acts_on_more_letters_than_he_has_counted(store: MemoryStore) -> None:
    await filled(store)
    async with serving(store, allow_acts=True) as stub:
        for request, said in (
            (letters("all", pb.LetterQuery()), "would mean every dead letter"),
            (letters("many", count=None), "30 are chosen: say expected_count = 30"),
            (letters("many", count=29), "expected_count is 29, and 30 are chosen now"),
            (letters("none", pb.LetterQuery(kind="nobody")), "no dead letter fits"),
            (pb.StartLetterBatchRequest(name="x", query=DOWN, who="ann", reason="x"), "what becomes of the letters"),
            (pb.StartLetterBatchRequest(name="x", query=DOWN, act=LetterRun.REPLAY), "say who does it, and why"),
        ):
            await refused(stub.StartLetterBatch(request), Code.INVALID_ARGUMENT, said)
        await refused(stub.GetBatch(pb.GetBatchRequest(name="many")), Code.NOT_FOUND, "there is no run 'many'")
        few = await stub.StartLetterBatch(letters("few", pb.LetterQuery(kind="warehouse"), count=None))
        assert few.left == 2 and await parked(store) == 32, "nothing is done before somebody carries it on"


async def test_sagas_are_counted_alike(store: MemoryStore) -> None:
    await fill(store, *(stuck_row(f"ORD-{number}", number) for number in range(21)))
    query = pb.SagaQuery(statuses=["stuck"])
    async with serving(store, allow_acts=True) as stub:
        request = pb.StartBatchRequest(name="many", query=query, act=act_of("RETRY"))
        await refused(stub.StartBatch(request), Code.INVALID_ARGUMENT, "21 are chosen: say expected_count = 21")
        request.expected_count = 21
        assert (await stub.StartBatch(request)).left == 21


async def test_a_batch_over_letters_is_carried_on_and_told_item_by_item(store: MemoryStore) -> None:
    await filled(store)
    async with serving(store, allow_acts=True) as stub:
        begun = await stub.StartLetterBatch(letters("bank"))
        assert (begun.kind, begun.act, begun.who, begun.chosen_by) == (
            "letter-run",
            "replay",
            "ann",
            "error_class=OSError",
        )
        done = await stub.ContinueBatch(pb.ContinueBatchRequest(name="bank"), timeout=20)
        assert (done.done, done.refused, done.left, await parked(store)) == (30, 0, 0, 2)
        found, token = list[str](), ""
        while not found or token:
            page = await stub.GetBatch(pb.GetBatchRequest(name="bank", page_size=8, page_token=token))
            found, token = [*found, *(one.id for one in page.items)], page.next_page_token
        assert found == [id_of(number).hex() for number in range(1, 31)]
        assert {(one.to, one.saga) for one in done.items} == {("billing/ORD-1", "")}
        mask = FieldMask(paths=["done", "left"])
        assert await stub.GetBatch(pb.GetBatchRequest(name="bank", read_mask=mask)) == pb.Batch(done=30)
        acts = await stub.ListActs(pb.ListActsRequest(page_size=20))
        rest = await stub.ListActs(pb.ListActsRequest(page_size=20, page_token=acts.next_page_token))
        assert len({one.text for one in (*acts.acts, *rest.acts)}) == 30 and not rest.next_page_token
        assert (acts.acts[0].who, acts.acts[0].act, acts.acts[0].to) == ("ann", "replay", "billing/ORD-1")


async def test_a_batch_is_watched_until_it_is_cancelled_and_goes_on_no_more(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_POLL_S", 0.02)
    monkeypatch.setattr(runs, "_PAGE", 10)
    await filled(store)
    async with serving(store, allow_acts=True) as stub:
        await stub.StartLetterBatch(letters("bank"))
        call = aiter(stub.WatchBatch(pb.WatchBatchRequest(name="bank")))
        assert (await anext(call)).left == 30
        cancel = pb.CancelBatchRequest(name="bank", reason="not yet")
        await refused(stub.CancelBatch(cancel), Code.INVALID_ARGUMENT, "say who does it, and why")
        cancel.who = "bo"
        assert (await stub.CancelBatch(cancel)).cancelled == "bo: not yet"
        async with asyncio.timeout(20):
            told = [one async for one in call]
        assert [(one.left, one.cancelled, len(one.items)) for one in told] == [(30, "bo: not yet", 0)]
        again = stub.ContinueBatch(pb.ContinueBatchRequest(name="bank"), timeout=20)
        await refused(again, Code.FAILED_PRECONDITION, "was cancelled by bo, because: not yet")
        await refused(stub.CancelBatch(cancel), Code.FAILED_PRECONDITION, "was cancelled before, by bo")
        assert await parked(store) == 32


async def named_alike(stub: Stub) -> None:
    request = pb.StartBatchRequest(name="bank", query=pb.SagaQuery(statuses=["stuck"]), act=act_of("RETRY"))
    await stub.StartBatch(request)
    await stub.StartLetterBatch(letters("bank"))


async def test_batches_are_listed_and_of_two_with_one_name_the_kind_is_said(store: MemoryStore) -> None:
    await filled(store)
    await fill(store, stuck_row("ORD-9", 9))
    async with serving(store, allow_acts=True) as stub:
        await named_alike(stub)
        await refused(
            stub.GetBatch(pb.GetBatchRequest(name="bank")), Code.INVALID_ARGUMENT, "there are two runs 'bank'"
        )
        other = await stub.GetBatch(pb.GetBatchRequest(name="bank", kind="repair-run"))
        assert [one.saga for one in other.items] == ["order-process/ORD-9"]
        listed, token = list[pb.Batch](), ""
        while not listed or token:
            page = await stub.ListBatches(pb.ListBatchesRequest(page_size=1, page_token=token))
            listed, token = [*listed, *page.batches], page.next_page_token
        assert [(one.kind, one.left, len(one.items)) for one in listed] == [("letter-run", 30, 0), ("repair-run", 1, 0)]
        first = await stub.GetBatch(pb.GetBatchRequest(name="bank", kind="letter-run", page_size=8))
        mixed = pb.GetBatchRequest(name="bank", kind="repair-run", page_token=first.next_page_token)
        await refused(stub.GetBatch(mixed), Code.INVALID_ARGUMENT, "with the same query")
