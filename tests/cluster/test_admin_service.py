"""Operators' acts by the service, on a real node with a real file: what is done, what is refused, what is resumed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from actors.catalogue import catalogue
from examples.desk import retry_stuck
from runtime.adapters import system_ports
from runtime.config import Settings, settings_of
from runtime.errors import InvalidSettings
from runtime.gateway.desk.acts import REFUSAL
from runtime.gateway.desk.on_node import AdminServed
from runtime.host import Node
from runtime.ports import Fact
from runtime.protos import admin_pb2 as pb
from runtime.protos import admin_pb2_grpc
from runtime.protos.saga_pb2 import RepairSaga
from tests.unit.gateway.desk.serving import SAGA, SHARDS, Stub, act_of, served_at, stuck_row
from tests.unit.operate.rows import fill, id_of, mail

Code = grpc.StatusCode
ANY = pb.SagaQuery(kind="k")


@asynccontextmanager
async def desk(folder: Path, *, keys: int = 1, services: tuple[str, ...] = ("orchestration",)) -> AsyncIterator[Stub]:
    async with desk_at(folder, keys=keys, services=services) as address, grpc.aio.insecure_channel(address) as channel:
        stub: Stub = admin_pb2_grpc.AdminServiceStub(channel)
        yield stub


@asynccontextmanager
async def desk_at(folder: Path, *, keys: int, services: tuple[str, ...]) -> AsyncIterator[str]:
    """Stuck orders, a node that hosts them, and the service over its store; gives the service's address."""
    settings = Settings(
        services=services,
        store=f"sqlite:///{folder}/desk.db",
        listen="127.0.0.1:0",
        name="a",
        drain_s=2.0,
        sweep_s=0.2,
        shards_per_kind=SHARDS,
    )
    node = Node(settings, catalogue(), system_ports())
    await node.start()
    try:
        await fill(node.store, *(stuck_row(f"ORD-{number}", number) for number in range(1, keys + 1)))
        await fill(node.store, mail(7, kind="sales", parked="no such sku"))
        async with served_at(node.store, allow_acts=True) as address:
            yield address
    finally:
        await node.stop()


async def revision_of(stub: Stub, saga: str = SAGA) -> int:
    return (await stub.ExplainSaga(pb.ExplainSagaRequest(saga=saga))).saga.revision


async def refusal_of(stub: Stub, request: pb.ActRequest) -> tuple[grpc.StatusCode, str, pb.ActRefusal]:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Act(request)
    error = refused.value
    told = dict(error.trailing_metadata() or ())
    detail = told.get(REFUSAL, b"")
    assert isinstance(detail, bytes)
    return error.code(), error.details() or "", pb.ActRefusal.FromString(detail)


async def test_an_act_is_done_and_a_second_at_the_same_revision_is_told_what_has_changed(tmp_path: Path) -> None:
    async with desk(tmp_path) as stub:
        seen = await revision_of(stub)
        act = act_of("MARK_UNDONE", task="bill", expect=seen)
        done = await stub.Act(pb.ActRequest(saga=SAGA, act=act), timeout=20)
        assert done.handled and done.text.startswith("mark-undone bill")
        request = pb.ActRequest(saga=SAGA, act=act_of("ABANDON", expect=seen))
        code, text, told = await refusal_of(stub, request)
        assert code is Code.FAILED_PRECONDITION
        assert f"not {seen}" in text and "ann did mark-undone bill" in text and "bill is undone" in text
        assert (told.saga, told.expected_revision, told.revision) == (SAGA, seen, seen + 1)
        assert {one.task: one.status for one in told.changed}["bill"] == "undone"
        assert [(one.who, one.task) for one in told.acts_meanwhile] == [("ann", "bill")]
        after = await stub.ExplainSaga(pb.ExplainSagaRequest(saga=SAGA))
        assert after.saga.status == "compensating" and "the bank was called" in after.repaired[0]


async def test_an_act_that_the_state_does_not_allow_is_refused_in_words(tmp_path: Path) -> None:
    async with desk(tmp_path) as stub:
        request = pb.ActRequest(saga=SAGA, act=act_of("RESUME", expect=await revision_of(stub)))
        code, text, told = await refusal_of(stub, request)
        assert code is Code.FAILED_PRECONDITION and "it is not suspended" in text
        assert told.revision == told.expected_revision and not told.changed


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (RepairSaga(act=RepairSaga.RETRY, who="ann", reason="x"), "say expected_revision"),
        (RepairSaga(act=RepairSaga.RETRY, who="ann", expected_revision=3), "say who does it, and why"),
        (RepairSaga(act=RepairSaga.RETRY, reason=" x ", who=" ", expected_revision=3), "say who does it, and why"),
        (RepairSaga(who="ann", reason="x", expected_revision=3), "no act is named"),
        (RepairSaga(act=99, who="ann", reason="x", expected_revision=3), "does not know; there are RETRY"),  # type: ignore[arg-type]  # of a newer version
    ],
)
async def test_an_act_that_does_not_say_all_is_posted_to_nobody(tmp_path: Path, act: RepairSaga, said: str) -> None:
    async with desk(tmp_path) as stub:
        code, text, _ = await refusal_of(stub, pb.ActRequest(saga=SAGA, act=act))
        assert code is Code.INVALID_ARGUMENT and said in text
        assert not (await stub.GetHistory(pb.GetHistoryRequest(saga=SAGA))).entries


async def test_an_unknown_saga_is_not_found(tmp_path: Path) -> None:
    async with desk(tmp_path) as stub:
        act = act_of("RETRY", expect=1)
        code, text, _ = await refusal_of(stub, pb.ActRequest(saga="order-process/ORD-9", act=act))
        assert code is Code.NOT_FOUND and "there is no saga order-process/ORD-9" in text


async def test_where_no_node_runs_an_act_is_posted_and_the_deadline_kept(tmp_path: Path) -> None:
    async with desk(tmp_path, services=("sales",)) as stub:
        act = act_of("SUSPEND", expect=await revision_of(stub))
        told = await stub.Act(pb.ActRequest(saga=SAGA, act=act, wait_s=60), timeout=2.0)
        assert not told.handled and told.text == ""


async def test_dead_letters_are_replayed_and_discarded_with_who_and_why(tmp_path: Path) -> None:
    async with desk(tmp_path, services=("billing",)) as stub:
        request = pb.DeadLetterActRequest(id=id_of(7).hex(), who="ann", reason="typo")
        for call in (stub.ReplayDeadLetter, stub.DiscardDeadLetter):
            with pytest.raises(grpc.aio.AioRpcError, match="say who does it, and why"):
                await call(pb.DeadLetterActRequest(id=request.id, who="ann"))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call(replaced(request, id="ff"))
            assert refused.value.code() is Code.NOT_FOUND
        assert (await stub.ReplayDeadLetter(request)).to == "sales/ORD-1"
        assert not (await stub.ListDeadLetters(pb.ListDeadLettersRequest())).letters
        with pytest.raises(grpc.aio.AioRpcError) as gone:
            await stub.DiscardDeadLetter(request)
        assert gone.value.code() is Code.NOT_FOUND


async def test_a_dead_letter_is_discarded(tmp_path: Path) -> None:
    async with desk(tmp_path) as stub:
        request = pb.DeadLetterActRequest(id=id_of(7).hex(), who="ann", reason="typo")
        assert (await stub.DiscardDeadLetter(request)).id == request.id
        assert not (await stub.ListDeadLetters(pb.ListDeadLettersRequest())).letters


def replaced(request: pb.DeadLetterActRequest, *, id: str) -> pb.DeadLetterActRequest:
    changed = pb.DeadLetterActRequest()
    changed.CopyFrom(request)
    changed.id = id
    return changed


async def test_a_batch_is_frozen_at_its_start_and_carried_on_by_calls(tmp_path: Path) -> None:
    async with desk(tmp_path, keys=5) as stub:
        query = pb.SagaQuery(statuses=["stuck"])
        start = pb.StartBatchRequest(name="refunds", query=query, act=act_of("ABANDON"), limit=3)
        begun = await stub.StartBatch(start)
        assert (len(begun.items), begun.left, begun.done) == (3, 3, 0)
        with pytest.raises(grpc.aio.AioRpcError, match="there is a run 'refunds' already"):
            await stub.StartBatch(start)
        moved = begun.items[0].saga
        act = act_of("SUSPEND", expect=await revision_of(stub, moved))
        assert (await stub.Act(pb.ActRequest(saga=moved, act=act), timeout=20)).handled
        ended = await stub.ContinueBatch(pb.ContinueBatchRequest(name="refunds"), timeout=20)
        assert (ended.done, ended.refused, ended.left) == (2, 1, 0)
        assert next(one for one in ended.items if one.saga == moved).refusal
        assert await stub.GetBatch(pb.GetBatchRequest(name="refunds")) == ended
        left = await stub.ListSagas(pb.ListSagasRequest(query=query))
        assert len(left.sagas) == 2, "those that were not chosen at the start"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (pb.StartBatchRequest(name="x", act=act_of("RETRY")), "say which sagas"),
        (pb.StartBatchRequest(query=ANY, act=act_of("RETRY")), "give it a name"),
        (
            pb.StartBatchRequest(name="x", query=ANY, act=act_of("RETRY", expect=1)),
            "leave expected_revision",
        ),
        (
            pb.StartBatchRequest(name="x", query=ANY, act=act_of("RETRY"), limit=-1),
            "from 1 to 10000",
        ),
        (pb.StartBatchRequest(name="x", query=ANY, act=RepairSaga(act=RepairSaga.RETRY)), "say who"),
    ],
)
async def test_a_batch_that_does_not_say_all_is_not_begun(
    tmp_path: Path, request_: pb.StartBatchRequest, said: str
) -> None:
    async with desk(tmp_path) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match=said) as refused:
            await stub.StartBatch(request_)
        assert refused.value.code() is Code.INVALID_ARGUMENT


async def test_a_batch_that_nobody_runs_keeps_the_deadline_and_is_carried_on_later(tmp_path: Path) -> None:
    async with desk(tmp_path, services=("sales",), keys=2) as stub:
        query = pb.SagaQuery(statuses=["stuck"])
        await stub.StartBatch(pb.StartBatchRequest(name="x", query=query, act=act_of("ABANDON")))
        told = await stub.ContinueBatch(pb.ContinueBatchRequest(name="x", wait_s=60), timeout=2.0)
        assert told.left == 2


async def test_the_program_of_the_page_has_each_stuck_saga_try_again(tmp_path: Path) -> None:
    async with desk_at(tmp_path, keys=2, services=("orchestration",)) as address:
        told = await retry_stuck(address, who="ann", reason="the bank is open again")
        assert told == {f"order-process/ORD-{number}": "tries again bill" for number in (1, 2)}


async def test_a_node_offers_the_service_where_it_is_told_and_only_for_reading(tmp_path: Path) -> None:
    facts: list[Fact] = []
    settings = Settings(store=f"sqlite:///{tmp_path}/desk.db", listen="127.0.0.1:0", admin_listen="127.0.0.1:0")
    node = Node(settings, catalogue(), system_ports(facts.append))
    await node.start()
    try:
        (served,) = [one for one in facts if isinstance(one, AdminServed)]
        assert (served.address != node.address, served.acts) == (True, "deny")
        async with grpc.aio.insecure_channel(served.address) as channel:
            stub: Stub = admin_pb2_grpc.AdminServiceStub(channel)
            assert not (await stub.ListSagas(pb.ListSagasRequest())).sagas
            with pytest.raises(grpc.aio.AioRpcError, match="admin_acts=allow") as refused:
                await stub.Act(pb.ActRequest(saga=SAGA, act=act_of("RETRY", expect=1)))
            assert refused.value.code() is Code.PERMISSION_DENIED
        async with grpc.aio.insecure_channel(node.address) as channel:
            stub = admin_pb2_grpc.AdminServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as elsewhere:
                await stub.ListSagas(pb.ListSagasRequest())
            assert elsewhere.value.code() is Code.UNIMPLEMENTED, "clients and peers are not offered it"
    finally:
        await node.stop()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"admin_listen": "0.0.0.0:7660"}, "admin_listen='0.0.0.0:7660'.*loopback.*admin_reach=any"),
        ({"admin_listen": "desk.test:7660"}, "loopback"),
        ({"admin_listen": "7660"}, "must be HOST:PORT"),
        ({"admin_acts": "yes"}, "must be 'deny' or 'allow'"),
        ({"admin_reach": "everywhere"}, "must be 'loopback' or 'any'"),
    ],
)
def test_a_wrong_address_starts_no_node(values: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        settings_of(values)


def test_an_address_beyond_the_loopback_is_taken_when_it_is_meant() -> None:
    assert settings_of({"admin_listen": "10.0.0.1:7660", "admin_reach": "any"}).admin_reach == "any"
