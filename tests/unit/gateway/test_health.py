"""Whoever sends calls to a node can ask, or be told, whether it takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runtime.adapters import system_ports
from runtime.durable.client import Client
from runtime.gateway.front import GrpcFront
from runtime.ports import Link

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


async def _no_peers(link: Link) -> None:
    raise AssertionError("no peer dials here")


class TakesPart:
    """Whether a node takes part in its cluster."""

    is_taken = False

    def __call__(self) -> bool:
        return self.is_taken


@asynccontextmanager
async def _asked(part: TakesPart | None = None) -> AsyncIterator[tuple[GrpcFront, Any]]:
    front = GrpcFront("127.0.0.1:0", system_ports(), is_ready=part or TakesPart())
    await front.start(_no_peers, cast("Client", None))
    try:
        async with grpc.aio.insecure_channel(front.address) as channel:
            yield front, health_pb2_grpc.HealthStub(channel)
    finally:
        await front.close(0.0)


def _of(service: str = "") -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=service)


async def test_a_node_serves_from_when_it_says_so_until_it_drains() -> None:
    async with _asked() as (front, stub):
        assert (await stub.Check(_of())).status == NOT_SERVING
        await front.serving(True)
        assert (await stub.Check(_of())).status == SERVING
        await front.serving(False)
        assert (await stub.Check(_of())).status == NOT_SERVING


async def test_a_service_that_is_not_here_is_not_found_and_may_be_watched() -> None:
    async with _asked() as (_, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(_of("elsewhere"))
        call = stub.Watch(_of("elsewhere"))
        assert (await call.read()).status == UNKNOWN
        call.cancel()
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_who_watches_is_told_of_each_change_and_hears_the_end_of_the_node() -> None:
    async with _asked() as (front, stub):
        call = stub.Watch(_of())
        assert (await call.read()).status == NOT_SERVING
        await front.serving(True)
        assert (await call.read()).status == SERVING
        await front.serving(False)
        assert (await call.read()).status == NOT_SERVING
        await front.close(0.0)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        assert ended.value.code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)


async def test_whoever_asks_for_readyz_hears_whether_the_node_takes_part() -> None:
    part = TakesPart()
    async with _asked(part) as (front, stub):
        await front.serving(True)
        assert (await stub.Check(_of("readyz"))).status == NOT_SERVING
        part.is_taken = True
        assert (await stub.Check(_of("readyz"))).status == SERVING
        assert (await stub.Check(_of())).status == SERVING


async def test_who_watches_readyz_is_told_of_each_change() -> None:
    part = TakesPart()
    async with _asked(part) as (_, stub):
        call = stub.Watch(_of("readyz"))
        assert (await call.read()).status == NOT_SERVING
        part.is_taken = True
        assert (await call.read()).status == SERVING
        part.is_taken = False
        assert (await call.read()).status == NOT_SERVING
        call.cancel()


async def test_a_list_has_both_questions_with_their_answers() -> None:
    async with _asked() as (front, stub):
        await front.serving(True)
        listed = await stub.List(health_pb2.HealthListRequest())
        assert {name: one.status for name, one in listed.statuses.items()} == {"": SERVING, "readyz": NOT_SERVING}
