"""What the desk tells of a store, by real calls; and what it refuses, with the cause and the cure."""

from __future__ import annotations

import math
from dataclasses import replace

import grpc
import grpc.aio
import pytest

from runtime.operate.proofs.kept import add_proofs
from runtime.protos import admin_pb2 as pb
from runtime.protos import durable_pb2
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.memory import MemoryStore
from tests.unit.gateway.desk.serving import SAGA, act_of, serving, stuck_row
from tests.unit.operate.conftest import store
from tests.unit.operate.proofs import broken, proof
from tests.unit.operate.rows import actor, fill, id_of, mail, order

__all__ = ["store"]

Code = grpc.StatusCode
OF_NO_SAGA = pb.PreviewActRequest(saga="order-process/ORD-9", act=act_of("RETRY"))
OF_NOBODY = pb.TimerQuery(actor="order-process/ORD-9")
LOST, NEVER = pb.SagaQuery(statuses=["lost"]), pb.SagaQuery(idle_s=float("nan"))


async def test_sagas_are_listed_page_by_page(store: MemoryStore) -> None:
    keys = [f"ORD-{number}" for number in range(7)]
    await fill(store, *(stuck_row(key, number) for number, key in enumerate(keys)))
    found, token, pages = list[str](), "", 0
    async with serving(store) as stub:
        while pages == 0 or token:
            query = pb.SagaQuery(statuses=["stuck"], key_prefix="ORD-")
            page = await stub.ListSagas(pb.ListSagasRequest(query=query, page_size=3, page_token=token))
            found += [one.key for one in page.sagas]
            token, pages = page.next_page_token, pages + 1
    assert (sorted(found), pages) == (keys, 3)


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        (pb.SagaQuery(kind="order-process"), True),
        (pb.SagaQuery(kind="trip"), False),
        (pb.SagaQuery(statuses=["running"]), False),
        (pb.SagaQuery(step="bill"), True),
        (pb.SagaQuery(step="ship"), False),
        (pb.SagaQuery(owes=True), True),
        (pb.SagaQuery(is_unknown=True), False),
        (pb.SagaQuery(has_dead_letters=True), False),
        (pb.SagaQuery(key_prefix="ORD-1"), True),
        (pb.SagaQuery(key_prefix="X"), False),
        (pb.SagaQuery(error="BANK closed"), True),
        (pb.SagaQuery(error="other"), False),
        (pb.SagaQuery(age_s=5.0, idle_s=5.0), True),
        (pb.SagaQuery(age_s=1e12), False),
    ],
)
async def test_a_query_chooses(store: MemoryStore, query: pb.SagaQuery, fits: bool) -> None:
    await fill(store, stuck_row())
    async with serving(store) as stub:
        assert bool((await stub.ListSagas(pb.ListSagasRequest(query=query))).sagas) is fits


async def test_sagas_with_dead_letters_are_chosen(store: MemoryStore) -> None:
    await fill(store, stuck_row("ORD-1", 1), stuck_row("ORD-2", 2))
    await fill(store, replace(mail(7, kind="order-process", parked="boom"), shard=stuck_row("ORD-1").shard))
    async with serving(store) as stub:
        query = pb.SagaQuery(has_dead_letters=True)
        (one,) = (await stub.ListSagas(pb.ListSagasRequest(query=query))).sagas
        assert (one.key, one.dead_letters) == ("ORD-1", 1)


async def test_a_saga_is_explained_with_what_can_be_done(store: MemoryStore) -> None:
    await fill(store, stuck_row(), actor("sales", state=order()))
    async with serving(store) as stub:
        told = await stub.ExplainSaga(pb.ExplainSagaRequest(saga=SAGA))
        assert (told.address, told.saga.status, told.owed[0]) == (SAGA, "stuck", "undo of bill at billing/ORD-1")
        acts = [(RepairSaga.Act.Name(one.act), one.task) for one in told.acts]
        assert ("RETRY", "") in acts and ("MARK_UNDONE", "bill") in acts
        assert '"order_id"' in told.state_json
        other = await stub.ExplainSaga(pb.ExplainSagaRequest(saga="sales/ORD-1"))
        assert not other.HasField("saga") and not other.acts


async def test_timers_of_an_actor_are_listed(store: MemoryStore) -> None:
    timers = durable_pb2.Timers(timers=[durable_pb2.Timer(name="remind", due_at_s=5.0, type="shop.Remind")])
    await fill(store, actor("sales", state=order(), timers=timers))
    async with serving(store) as stub:
        told = await stub.ListTimers(pb.ListTimersRequest(query=pb.TimerQuery(actor="sales/ORD-1")))
    (one,) = told.timers
    assert (one.kind, one.key, one.name, one.due_at_s, one.type) == ("sales", "ORD-1", "remind", 5.0, "shop.Remind")
    assert one.purpose == "timer of a service"


async def test_timers_of_all_actors_are_listed_page_by_page(store: MemoryStore) -> None:
    def timers_at(*due: float) -> durable_pb2.Timers:
        return durable_pb2.Timers(timers=[durable_pb2.Timer(name=f"t{at:g}", due_at_s=at) for at in due])

    rows = [actor("sales", key, state=order(), timers=timers_at(*due)) for key, *due in (("A", 3, 9), ("B", 4))]
    await fill(store, *rows, actor("billing", "A", state=order(), timers=timers_at(5)))
    async with serving(store) as stub:
        found, token, pages = list[str](), "", 0
        while pages == 0 or token:
            page = await stub.ListTimers(pb.ListTimersRequest(page_size=1, page_token=token))
            found += [f"{one.kind}/{one.key} {one.name}" for one in page.timers]
            token, pages = page.next_page_token, pages + 1
        assert (found, pages) == (["sales/A t3", "sales/A t9", "sales/B t4", "billing/A t5"], 4)
        query = pb.TimerQuery(kind="sales", key_prefix="A", before_s=5.0)
        (only,) = (await stub.ListTimers(pb.ListTimersRequest(query=query))).timers
        assert only.name == "t3"


async def test_dead_letters_are_listed_page_by_page(store: MemoryStore) -> None:
    letters = [mail(number, parked="no such sku") for number in range(1, 6)]
    await fill(store, *letters)
    found, token, pages = list[str](), "", 0
    async with serving(store) as stub:
        while pages == 0 or token:
            page = await stub.ListDeadLetters(pb.ListDeadLettersRequest(page_size=2, page_token=token))
            found += [one.id for one in page.letters]
            token, pages = page.next_page_token, pages + 1
    assert (found, pages) == ([id_of(number).hex() for number in range(1, 6)], 3)


async def test_dead_letters_of_one_id_stand_on_two_pages(store: MemoryStore) -> None:
    await fill(store, *(mail(1, kind=kind, parked="no such sku") for kind in ("billing", "sales", "stock")))
    found, token = list[str](), "first"
    async with serving(store) as stub:
        while token:
            asked = pb.ListDeadLettersRequest(page_size=1, page_token=token.removeprefix("first"))
            page = await stub.ListDeadLetters(asked)
            found += [one.to for one in page.letters]
            token = page.next_page_token
    assert found == ["billing/ORD-1", "sales/ORD-1", "stock/ORD-1"]


async def test_versions_are_listed_by_kind(store: MemoryStore) -> None:
    await fill(store, stuck_row())
    async with serving(store) as stub:
        (told,) = (await stub.ListDefinitions(pb.ListDefinitionsRequest(kind="order-process"))).definitions
        assert (told.kind, told.open, told.ended) == ("order-process", 1, 0)
        assert not (await stub.ListDefinitions(pb.ListDefinitionsRequest(kind="other"))).definitions


async def test_versions_with_their_proofs_come_page_by_page(store: MemoryStore) -> None:
    versions = [f"{number:032x}" for number in range(5)]
    await add_proofs(store, [(broken if number == 3 else proof)(version=versions[number]) for number in range(5)])
    async with serving(store) as stub:
        found, token = list[pb.VersionProofs](), ""
        while not found or token:
            page = await stub.ListProofs(pb.ListProofsRequest(page_size=2, page_token=token))
            found, token = [*found, *page.versions], page.next_page_token
        assert [one.version for one in found] == [versions[number] for number in (3, 0, 1, 2, 4)]
        assert [one.standing for one in found] == ["broken", *["passed"] * 4]
        (alone,) = (await stub.ListProofs(pb.ListProofsRequest(version=versions[3]))).versions
        assert alone == found[0] and alone.proofs[0].broke.startswith("I5: ")
        first = await stub.ListProofs(pb.ListProofsRequest(page_size=1))
        other = pb.ListProofsRequest(version=versions[3], page_token=first.next_page_token)
        with pytest.raises(grpc.aio.AioRpcError, match="begin again without a token"):
            await stub.ListProofs(other)


@pytest.mark.parametrize(
    ("method", "request_", "code", "said"),
    [
        ("ListSagas", pb.ListSagasRequest(page_token="AAAA"), Code.INVALID_ARGUMENT, "begin again without a token"),
        ("ListSagas", pb.ListSagasRequest(page_size=5000), Code.INVALID_ARGUMENT, "from 1 to 1000"),
        (
            "ListSagas",
            pb.ListSagasRequest(query=LOST),
            Code.INVALID_ARGUMENT,
            "there are running",
        ),
        (
            "ListSagas",
            pb.ListSagasRequest(query=NEVER),
            Code.INVALID_ARGUMENT,
            "say 0 or more",
        ),
        ("ExplainSaga", pb.ExplainSagaRequest(saga="ORD-1"), Code.INVALID_ARGUMENT, "is no address"),
        ("ExplainSaga", pb.ExplainSagaRequest(saga="order-process/ORD-9"), Code.NOT_FOUND, "there is no actor"),
        ("GetHistory", pb.GetHistoryRequest(saga="order-process/ORD-9"), Code.NOT_FOUND, "there is no saga"),
        ("GetHistory", pb.GetHistoryRequest(saga=SAGA, page_token="x"), Code.INVALID_ARGUMENT, "page_token"),
        (
            "PreviewAct",
            pb.PreviewActRequest(saga="order-process/ORD-9", act=act_of("RETRY")),
            Code.NOT_FOUND,
            "there is no saga",
        ),
        (
            "ListTimers",
            pb.ListTimersRequest(query=pb.TimerQuery(actor="order-process/ORD-9")),
            Code.NOT_FOUND,
            "there is no actor",
        ),
        ("ListTimers", pb.ListTimersRequest(page_token="x"), Code.INVALID_ARGUMENT, "page_token"),
        (
            "ListTimers",
            pb.ListTimersRequest(query=pb.TimerQuery(before_s=math.nan)),
            Code.INVALID_ARGUMENT,
            "is no number",
        ),
        ("ListDeadLetters", pb.ListDeadLettersRequest(page_token="x"), Code.INVALID_ARGUMENT, "page_token"),
        ("GetBatch", pb.GetBatchRequest(name="refunds"), Code.NOT_FOUND, "there is no run 'refunds'"),
    ],
)
async def test_refusals_teach(store: MemoryStore, method: str, request_: object, code: Code, said: str) -> None:
    await fill(store, stuck_row())
    async with serving(store) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await getattr(stub, method)(request_)
    assert refused.value.code() is code and said in (refused.value.details() or ""), refused.value


async def test_what_this_build_does_not_know_is_not_previewed(store: MemoryStore) -> None:
    await fill(store, stuck_row())
    async with serving(store, knows=False) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match="which this build lacks"):
            await stub.PreviewAct(pb.PreviewActRequest(saga=SAGA, act=act_of("RETRY")))


async def test_a_state_that_is_too_large_is_left_out_and_said_to_be(store: MemoryStore) -> None:
    row = actor("sales", state=order() + b"\x0a\x80\x80\x80\x01" + b"x" * 2 * 1024 * 1024)
    await fill(store, row)
    async with serving(store) as stub:
        told = await stub.ExplainSaga(pb.ExplainSagaRequest(saga="sales/ORD-1"))
    assert told.state_json == "" and "the state, of 2," in told.left_out[0]
