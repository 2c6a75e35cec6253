"""What the desk refuses before it does anything, and how much it says at most: each answer arrives through gRPC."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc.aio
import pytest

from runtime.adapters import system_ports
from runtime.envelope import shard_of
from runtime.gateway.desk import histories
from runtime.gateway.desk.acts import REFUSAL
from runtime.operate.history import read_history
from runtime.protos import admin_pb2 as pb
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord
from runtime.saga.reasons import REASON_CHARS_MAX, WHO_CHARS_MAX
from runtime.store.memory import MemoryStore
from runtime.store.records import Outcome, Transition
from tests.unit.admin.test_repair import stuck
from tests.unit.gateway.desk.serving import SAGA, SHARDS, Stub, act_of, serving, stuck_row
from tests.unit.operate.rows import fill, history, id_of, mail, row_of

ANY = pb.SagaQuery(statuses=["stuck"])
LONG = act_of("SUSPEND", expect=1)
LONG.reason = "x" * (REASON_CHARS_MAX + 1)
LONG_WHO = act_of("SUSPEND", expect=1)
LONG_WHO.who = "x" * (WHO_CHARS_MAX + 1)
LONG_TASK = act_of("RETRY", expect=1, task="x" * 5_000)
LONG_FOR_MANY = RepairSaga(act=RepairSaga.RETRY, who="ann", reason=LONG.reason)
LETTER = pb.DeadLetterActRequest(id=id_of(7).hex(), who="ann", reason=LONG.reason)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(system_ports())


@pytest.mark.parametrize(
    ("method", "request_", "said"),
    [
        ("Act", pb.ActRequest(saga=SAGA, act=act_of("SUSPEND", expect=1), wait_s=math.nan), "wait_s is nan"),
        ("Act", pb.ActRequest(saga=SAGA, act=act_of("SUSPEND", expect=1), wait_s=-1.0), "wait_s is -1"),
        ("ContinueBatch", pb.ContinueBatchRequest(name="x", wait_s=math.nan), "wait_s is nan"),
        ("ContinueBatch", pb.ContinueBatchRequest(name="x", wait_s=-0.5), "wait_s is -0.5"),
        ("PreviewAct", pb.PreviewActRequest(saga=SAGA), "no act is named"),
        ("PreviewAct", pb.PreviewActRequest(saga=SAGA, act=RepairSaga(who="ann", reason="x")), "no act is named"),
        ("Act", pb.ActRequest(saga=SAGA, act=LONG), "reason has 2,001 characters and may have 2,000"),
        ("Act", pb.ActRequest(saga=SAGA, act=LONG_WHO), "who has 201 characters and may have 200"),
        ("Act", pb.ActRequest(saga=SAGA, act=LONG_TASK), "task has 5,000 characters"),
        ("StartBatch", pb.StartBatchRequest(name="x" * 201, query=ANY, act=act_of("RETRY")), "this one has 201"),
        ("StartBatch", pb.StartBatchRequest(name="x", query=ANY, act=LONG_FOR_MANY), "reason has 2,001 characters"),
        ("ReplayDeadLetter", LETTER, "reason has 2,001 characters"),
        ("DiscardDeadLetter", LETTER, "reason has 2,001 characters"),
    ],
)
async def test_what_is_no_act_is_refused_and_nothing_is_posted(
    store: MemoryStore, method: str, request_: object, said: str
) -> None:
    await fill(store, stuck_row(), mail(7, parked="no such sku"))
    async with serving(store, allow_acts=True) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await getattr(stub, method)(request_)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert said in (refused.value.details() or "")
    assert await store.waiting_for(("order-process", "ORD-1"), shard_of("ORD-1", SHARDS), limit=9) == []
    assert [one.parked for one in await store.dead_letters(limit=9)] == ["no such sku"]


# --- the largest refusal ---


@asynccontextmanager
async def node_that_refuses(store: MemoryStore, why: str) -> AsyncIterator[None]:
    """Stands for the node of the saga: each act is handled, and refused with this reason."""

    async def handle() -> None:
        address, shard = ("order-process", "ORD-1"), shard_of("ORD-1", SHARDS)
        while True:
            for row in await store.waiting_for(address, shard, limit=9):
                told = replace(
                    history(1, kind="order-process"),
                    id=row.id,
                    conversation=row.conversation,
                    outcome=Outcome.IGNORED,
                    error=why,
                )
                await store.commit([Transition(address=address, shard=shard, consumed=(row.id,), history=(told,))])
            await asyncio.sleep(0)

    node = asyncio.create_task(handle())
    try:
        yield
    finally:
        node.cancel()


@pytest.mark.parametrize("char", ["x", "é", "\U0001f600", "%"])
async def test_a_refusal_and_its_text_arrive_at_their_largest(store: MemoryStore, char: str) -> None:
    record = SagaRecord.FromString(stuck().SerializeToString())
    record.conversation = id_of(1_001)
    for number in range(3_000):
        record.tasks.add(path=f"lines[{char * 40}{number}]", moved_at=record.revision)
    for _ in range(50):
        record.repairs.add(who=char * 200, reason=char * 2_000, text=char * 200, revision=record.revision)
    row = replace(row_of(record), shard=shard_of("ORD-1", SHARDS), conversation=record.conversation)
    await fill(store, row)
    async with serving(store, allow_acts=True) as stub, node_that_refuses(store, char * 4_000):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Act(pb.ActRequest(saga=SAGA, act=act_of("SUSPEND", expect=1)), timeout=20)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert char * 100 in (refused.value.details() or "")
    (told,) = [value for name, value in refused.value.trailing_metadata() or () if name == REFUSAL]
    assert isinstance(told, bytes)
    refusal = pb.ActRefusal.FromString(told)
    assert (refusal.expected_revision, refusal.revision, refusal.status) == (1, record.revision, "stuck")
    assert refusal.changed, "as many tasks as find room"


# --- pages of a history ---


async def pages_of(stub: Stub, change: Callable[[int], object] = lambda _page: None) -> list[pb.GetHistoryResponse]:
    pages, token = list[pb.GetHistoryResponse](), ""
    while not pages or token:
        pages.append(await stub.GetHistory(pb.GetHistoryRequest(saga=SAGA, page_size=2, page_token=token)))
        token = pages[-1].next_page_token
        change(len(pages))
    return pages


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows with each time that an instance is replayed."""
    found: list[str] = []

    async def counted(*arguments: object) -> object:
        found.append("replayed")
        return await read_history(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(histories, "read_history", counted)
    return found


async def with_history(store: MemoryStore) -> None:
    row = stuck_row()
    told = [
        replace(history(number, kind="order-process"), conversation=row.conversation, revision=number)
        for number in range(1, 7)
    ]
    await fill(store, row)
    await store.commit([Transition(address=row.address, shard=row.shard, history=tuple(told))])


async def test_the_pages_of_a_history_are_cut_from_one_replay(store: MemoryStore, replays: list[str]) -> None:
    await with_history(store)
    async with serving(store) as stub:
        pages = await pages_of(stub)
        assert [[one.number for one in page.entries] for page in pages] == [[1, 2], [3, 4], [5, 6]]
        assert len(replays) == 1
        await pages_of(stub)
        assert len(replays) == 2, "who begins again is told how it is now"


async def test_a_page_of_a_saga_that_has_moved_is_told_as_it_is_now(store: MemoryStore, replays: list[str]) -> None:
    await with_history(store)
    row = stuck_row()

    def move(page: int) -> None:
        store._actors[row.address] = replace(row, revision=row.revision + page, last_id=id_of(900 + page))

    async with serving(store) as stub:
        assert len(await pages_of(stub, move)) == 3
    assert len(replays) == 3
