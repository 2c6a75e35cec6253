"""A desk that knows its operators lets each do what is his to do, in his own name."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from runtime.adapters import SystemIds, system_ports
from runtime.contracts import Contracts
from runtime.errors import InvalidSettings
from runtime.gateway.desk.known import RepairDesk
from runtime.gateway.desk.rights import RIGHTS
from runtime.gateway.desk.server import DeskServer
from runtime.gateway.operators.authenticator import Authenticator
from runtime.gateway.operators.operator import digest_of, new_token
from runtime.protos import admin_pb2, admin_pb2_grpc
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.memory import MemoryStore
from tests.unit.gateway.desk.serving import SAGA, Stub, act_of, stuck_row
from tests.unit.operate.rows import fill

ANN, BOB = new_token(SystemIds()), new_token(SystemIds())


def operators(folder: Path) -> Path:
    path = folder / "operators.toml"
    path.write_text(
        f'[ann]\nrights = "act"\ntoken = "{digest_of(ANN)}"\n[bob]\nrights = "read"\ntoken = "{digest_of(BOB)}"\n'
    )
    path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    return path


@asynccontextmanager
async def desk(folder: Path, *, allow_acts: bool = True, proxy_header: str = "") -> AsyncIterator[Stub]:
    ports = system_ports()
    store = MemoryStore(ports)
    await fill(store, stuck_row())
    asked = Authenticator(operators(folder), ports, proxy_header=proxy_header)
    known = RepairDesk(store, Contracts(()), ports.clock)
    server = DeskServer(known, "127.0.0.1:0", ports, allow_acts=allow_acts, authenticator=asked)
    await server.start()
    try:
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield admin_pb2_grpc.AdminServiceStub(channel)
    finally:
        await server.close(0.0)


def by(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)


LIST = admin_pb2.ListSagasRequest()


def act(who: str) -> admin_pb2.ActRequest:
    wanted = act_of("RETRY", expect=1)
    wanted.who = who
    return admin_pb2.ActRequest(saga=SAGA, act=wanted, wait_s=0.05)


async def test_nobody_but_an_operator_is_told_anything(tmp_path: Path) -> None:
    async with desk(tmp_path) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match="authorization: Bearer TOKEN") as told:
            await stub.ListSagas(LIST)
        assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED
        with pytest.raises(grpc.aio.AioRpcError, match="no operator has this token"):
            await stub.ListSagas(LIST, metadata=by("amends_guess"))
        assert len((await stub.ListSagas(LIST, metadata=by(BOB))).sagas) == 1


async def test_one_who_may_only_read_cannot_act(tmp_path: Path) -> None:
    async with desk(tmp_path) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match="bob may only read") as told:
            await stub.Act(act(""), metadata=by(BOB))
        assert told.value.code() is grpc.StatusCode.PERMISSION_DENIED


async def test_an_operator_acts_in_his_own_name_whether_he_says_it_or_not(tmp_path: Path) -> None:
    async with desk(tmp_path) as stub:
        for who in ("", "ann"):
            assert not (await stub.Act(act(who), metadata=by(ANN))).handled  # there is no node
        with pytest.raises(grpc.aio.AioRpcError, match="in the name of 'bob'") as told:
            await stub.Act(act("bob"), metadata=by(ANN))
        assert told.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        batch = admin_pb2.StartBatchRequest(
            name="all",
            query=admin_pb2.SagaQuery(statuses=["stuck"]),
            act=RepairSaga(act=RepairSaga.RETRY, reason="bank called"),
        )
        assert (await stub.StartBatch(batch, metadata=by(ANN))).left == 1


async def test_a_server_that_offers_no_acts_offers_them_to_no_operator(tmp_path: Path) -> None:
    async with desk(tmp_path, allow_acts=False) as stub:
        with pytest.raises(grpc.aio.AioRpcError, match="--allow-acts"):
            await stub.Act(act(""), metadata=by(ANN))


async def test_a_proxy_names_the_operator(tmp_path: Path) -> None:
    async with desk(tmp_path, proxy_header="x-user") as stub:
        assert len((await stub.ListSagas(LIST, metadata=(("x-user", "bob"),))).sagas) == 1
        with pytest.raises(grpc.aio.AioRpcError, match="not among the operators"):
            await stub.ListSagas(LIST, metadata=(("x-user", "bob"), ("x-user", "ann")))


async def test_a_token_that_was_taken_back_opens_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as stub:
        await stub.ListSagas(LIST, metadata=by(BOB))
        (tmp_path / "operators.toml").write_text('[ann]\nrights = "act"\n')
        with pytest.raises(grpc.aio.AioRpcError) as told:
            await stub.ListSagas(LIST, metadata=by(BOB))
        assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED
        (tmp_path / "operators.toml").unlink()
        with pytest.raises(grpc.aio.AioRpcError, match="cannot be checked now") as told:
            await stub.ListSagas(LIST, metadata=by(BOB))
        assert told.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("method", sorted(RIGHTS))
async def test_no_method_answers_one_whom_nobody_knows(tmp_path: Path, method: str) -> None:
    async with desk(tmp_path) as stub:
        called = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].methods_by_name[method]
        request = getattr(admin_pb2, called.input_type.name)()
        call = getattr(stub, method)(request)
        with pytest.raises(grpc.aio.AioRpcError) as told:
            if called.server_streaming:
                [one async for one in call]
            else:
                await call
        assert told.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_acts_are_offered_beyond_this_machine_only_to_operators_who_are_known(tmp_path: Path) -> None:
    ports = system_ports()
    known = RepairDesk(MemoryStore(ports), Contracts(()), ports.clock)
    with pytest.raises(InvalidSettings, match="--operators FILE, or admin_operators"):
        DeskServer(known, "0.0.0.0:0", ports, allow_acts=True, anywhere=True)
    asked = Authenticator(operators(tmp_path), ports)
    DeskServer(known, "0.0.0.0:0", ports, allow_acts=True, anywhere=True, authenticator=asked)
    DeskServer(known, "0.0.0.0:0", ports, anywhere=True)
