"""Whoever sends calls to a node can ask, or be told, whether it takes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runtime.adapters import system_ports
from runtime.gateway.health import Health
from runtime.gateway.interceptors import interceptors

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def _asked(health: Health) -> AsyncIterator[Any]:
    server = grpc.aio.server(interceptors=interceptors(system_ports()))
    health.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield health_pb2_grpc.HealthStub(channel)
    finally:
        await server.stop(None)


def _of(service: str = "") -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=service)


async def test_a_node_serves_from_when_it_says_so_until_it_drains() -> None:
    health = Health(services=("shop.OrderService",))
    async with _asked(health) as stub:
        assert (await stub.Check(_of())).status == NOT_SERVING
        health.serving(True)
        assert (await stub.Check(_of())).status == SERVING
        assert (await stub.Check(_of("shop.OrderService"))).status == SERVING
        health.serving(False)
        assert (await stub.Check(_of())).status == NOT_SERVING


async def test_a_service_that_is_not_here_is_not_found() -> None:
    async with _asked(Health()) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Check(_of("elsewhere"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_who_watches_is_told_of_each_change() -> None:
    health = Health()
    async with _asked(health) as stub:
        call = stub.Watch(_of())
        assert (await call.read()).status == NOT_SERVING
        health.serving(True)
        assert (await call.read()).status == SERVING
        health.serving(False)
        assert (await call.read()).status == NOT_SERVING
        call.cancel()
