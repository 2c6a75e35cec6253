"""`amends admin serve` beside real nodes: a process of its own, read-only unless told, ended by a signal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runtime.adapters import system_ports
from runtime.gateway.desk.acts import REFUSAL
from runtime.protos import admin_pb2 as pb
from runtime.protos import admin_pb2_grpc
from runtime.store.open import open_store
from tests.acceptance.shop import ROOT, open_shop
from tests.unit.gateway.desk.serving import SAGA, Stub, act_of, stuck_row
from tests.unit.operate.rows import fill

pytestmark = pytest.mark.timeout(200)


async def made(folder: Path) -> str:
    """The URL of a store that has a stuck order, and no node."""
    url = f"sqlite:///{folder}/desk.db"
    store = open_store(url, system_ports())
    await store.open()
    await fill(store, stuck_row())
    await store.close()
    return url


async def serve(url: str, *arguments: str) -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "runtime.admin", "--store", url, "serve", *arguments)
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env={**os.environ}, stdout=pipe, stderr=pipe)


@asynccontextmanager
async def served(url: str, *arguments: str) -> AsyncIterator[grpc.aio.Channel]:
    """The channel to a process that serves; it ends by a signal, and that is no failure."""
    process = await serve(url, "--listen", "127.0.0.1:0", "--json", *arguments)
    assert process.stdout is not None
    try:
        told = json.loads(await process.stdout.readline())
        assert told["acts"] is ("--allow-acts" in arguments)
        async with grpc.aio.insecure_channel(told["address"]) as channel:
            yield channel
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def test_operators_act_through_a_process_beside_the_nodes(tmp_path: Path) -> None:
    async with open_shop(tmp_path, nodes=["orchestration"], settings={"sweep_s": 0.3}) as shop:
        await fill(shop.harness.store, stuck_row())
        async with served(shop.harness.store_url, "--allow-acts") as channel:
            stub: Stub = admin_pb2_grpc.AdminServiceStub(channel)
            seen = (await stub.ExplainSaga(pb.ExplainSagaRequest(saga=SAGA))).saga.revision
            act = act_of("MARK_UNDONE", task="bill", expect=seen)
            preview = await stub.PreviewAct(pb.PreviewActRequest(saga=SAGA, act=act))
            assert (preview.before, preview.after) == ("stuck", "compensating")
            done = await stub.Act(pb.ActRequest(saga=SAGA, act=act), timeout=30)
            assert done.handled and done.text == preview.text
            with pytest.raises(grpc.aio.AioRpcError) as stale:
                await stub.Act(pb.ActRequest(saga=SAGA, act=act_of("ABANDON", expect=seen)), timeout=30)
            assert stale.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            detail = dict(stale.value.trailing_metadata() or ())[REFUSAL]
            assert isinstance(detail, bytes) and pb.ActRefusal.FromString(detail).revision == seen + 1


async def test_without_a_node_a_store_is_read_and_nothing_is_changed(tmp_path: Path) -> None:
    async with served(await made(tmp_path)) as channel:
        health = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        stub: Stub = admin_pb2_grpc.AdminServiceStub(channel)
        (one,) = (await stub.ListSagas(pb.ListSagasRequest())).sagas
        assert (one.key, one.status) == ("ORD-1", "stuck")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Act(pb.ActRequest(saga=SAGA, act=act_of("RETRY", expect=3)))
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--listen", "0.0.0.0:0"), 2, "must be an address of the loopback"),
        (("--listen", "127.0.0.1"), 2, "must be HOST:PORT"),
        (("--store", "sqlite:///none.db"), 1, "none.db"),
    ],
)
async def test_what_cannot_be_served_is_a_clear_error(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    process = await serve(await made(tmp_path), *arguments)
    _, errors = await process.communicate()
    assert process.returncode == code and said in errors.decode() and "Traceback" not in errors.decode()
