"""Answers by streams: sagas as they change, a conversation message by message, each as fast as its caller reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import grpc.aio
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from actors.catalogue import catalogue
from runtime.adapters import system_ports
from runtime.errors import StoreUnavailable
from runtime.gateway.desk import streams
from runtime.gateway.desk.known import RepairDesk
from runtime.gateway.desk.server import DeskServer
from runtime.operate.survey import SagaEntry
from runtime.protos import admin_pb2 as pb
from runtime.protos import admin_pb2_grpc
from runtime.protos.saga_pb2 import SagaRecord
from runtime.store.memory import MemoryStore
from runtime.store.records import Expected, Transition
from tests.unit.gateway.desk.serving import Stub, serving, stuck_row
from tests.unit.operate.conftest import store
from tests.unit.operate.rows import fill, history, id_of, mail, row_of

__all__ = ["store"]

STUCK = pb.SagaQuery(statuses=["stuck"])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_POLL_S", 0.02)


async def until_caught_up(call: AsyncIterator[pb.SagaChange]) -> list[str]:
    told = list[str]()
    async for change in call:
        if change.caught_up:
            return told
        told.append(change.saga.key or change.gone)
    raise AssertionError("the stream ended")


async def one(call: AsyncIterator[pb.SagaChange]) -> pb.SagaChange:
    async with asyncio.timeout(20):
        return await anext(call)


async def put_right(store: MemoryStore, key: str) -> None:
    """The order is stuck no more."""
    (row,) = await store.load([("order-process", key)])
    assert row is not None
    done = replace(row_of(SagaRecord(status=SagaRecord.COMPLETED), key), shard=row.shard, revision=row.revision + 1)
    await store.commit([Transition(actor=done, expected=Expected(row.revision, row.last_id))])


async def test_a_watch_tells_all_that_fit_and_then_what_changes(store: MemoryStore) -> None:
    await fill(store, stuck_row("ORD-1", 1), stuck_row("ORD-2", 2))
    async with serving(store) as stub:
        call = aiter(stub.WatchSagas(pb.WatchSagasRequest(query=STUCK)))
        assert sorted(await until_caught_up(call)) == ["ORD-1", "ORD-2"]
        await fill(store, stuck_row("ORD-3", 3))
        assert (await one(call)).saga.key == "ORD-3"
        await put_right(store, "ORD-1")
        assert (await one(call)).gone == "order-process/ORD-1"


async def test_a_watch_tells_of_as_many_as_it_was_asked_for_and_of_fields_that_are_wanted(store: MemoryStore) -> None:
    await fill(store, *(stuck_row(f"ORD-{number}", number) for number in range(5)))
    async with serving(store) as stub:
        mask = FieldMask(paths=["key"])
        call = aiter(stub.WatchSagas(pb.WatchSagasRequest(query=STUCK, limit=2, read_mask=mask)))
        first = await one(call)
        assert first.saga.key and not first.saga.status
        assert len(await until_caught_up(call)) == 1


async def test_a_watch_that_is_given_up_makes_room_for_another(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "WATCHES_MAX", 1)
    async with serving(store) as stub:
        first = stub.WatchSagas(pb.WatchSagasRequest())
        await until_caught_up(aiter(first))
        with pytest.raises(grpc.aio.AioRpcError, match="1 watch already") as told:
            await until_caught_up(aiter(stub.WatchSagas(pb.WatchSagasRequest())))
        assert told.value.code() is grpc.StatusCode.UNAVAILABLE
        first.cancel()
        async with asyncio.timeout(20):
            while True:
                try:
                    await until_caught_up(aiter(stub.WatchSagas(pb.WatchSagasRequest())))
                    break
                except grpc.aio.AioRpcError:
                    await asyncio.sleep(0.01)


async def test_a_watch_ends_with_the_store_that_cannot_be_read(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(store) as stub:
        call = aiter(stub.WatchSagas(pb.WatchSagasRequest()))
        await until_caught_up(call)

        async def lost(*_: object, **__: object) -> None:
            raise StoreUnavailable("it went away")

        monkeypatch.setattr(streams, "sagas", lost)
        with pytest.raises(grpc.aio.AioRpcError, match="it went away") as told:
            await one(call)
        assert told.value.code() is grpc.StatusCode.UNAVAILABLE


@asynccontextmanager
async def server_of(store: MemoryStore) -> AsyncIterator[tuple[DeskServer, Stub]]:
    ports = system_ports()
    server = DeskServer(RepairDesk.of(store, catalogue(), ports.clock), "127.0.0.1:0", ports)
    await server.start()
    async with grpc.aio.insecure_channel(server.address) as channel:
        yield server, admin_pb2_grpc.AdminServiceStub(channel)


async def test_a_server_that_ends_does_not_wait_for_those_who_watch(store: MemoryStore) -> None:
    async with server_of(store) as (server, stub):
        call = aiter(stub.WatchSagas(pb.WatchSagasRequest()))
        await until_caught_up(call)
        async with asyncio.timeout(30):
            closing = asyncio.create_task(server.close(grace_s=600.0))
            with pytest.raises(grpc.aio.AioRpcError, match="this server ends; watch again"):
                await one(call)
            await closing


async def test_a_conversation_is_told_message_by_message_over_several_readings(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "_MESSAGES", 3)
    rows = [history(number) for number in range(1, 9)]
    await fill(store, *rows, mail(20, parked="no such sku"))
    request = pb.GetConversationRequest(id=rows[0].conversation.hex())
    async with serving(store) as stub:
        told = [message async for message in stub.GetConversation(request)]
        assert [message.id for message in told] == [*(row.id.hex() for row in rows), id_of(20).hex()]
        assert told[-1].status == "parked" and told[-1].note == "no such sku"
        assert told[0].HasField("handled_at_s") and not told[-1].HasField("handled_at_s")
        request.only_open = True
        request.read_mask.CopyFrom(FieldMask(paths=["id", "status"]))
        (parked,) = [message async for message in stub.GetConversation(request)]
        assert parked == pb.ConversationMessage(id=id_of(20).hex(), status="parked")


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        (pb.GetConversationRequest(), grpc.StatusCode.INVALID_ARGUMENT, "32 hexadecimal digits"),
        (pb.GetConversationRequest(id="zz"), grpc.StatusCode.INVALID_ARGUMENT, "32 hexadecimal digits"),
        (pb.GetConversationRequest(id="00" * 16), grpc.StatusCode.NOT_FOUND, "may have been forgotten"),
        (
            pb.GetConversationRequest(id="00" * 16, read_mask=FieldMask(paths=["payload"])),
            grpc.StatusCode.INVALID_ARGUMENT,
            "read_mask names 'payload'; a ConversationMessage has id, cause",
        ),
    ],
)
async def test_what_is_no_conversation_is_refused(
    store: MemoryStore, request_: pb.GetConversationRequest, code: grpc.StatusCode, said: str
) -> None:
    async with serving(store) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match=said) as told:
            [message async for message in stub.GetConversation(request_)]
        assert told.value.code() is code


def test_one_who_knows_what_is_there_is_told_nothing() -> None:
    entry = SagaEntry("process", "ORD-1", "stuck", "bill", "", "v1", 1.0, 2.0, 0)
    assert list(streams.changes({("process", "ORD-1"): entry}, (entry,))) == []
