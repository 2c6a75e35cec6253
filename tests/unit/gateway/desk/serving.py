"""A desk behind a real gRPC server, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeAlias

import grpc.aio

from actors.catalogue import catalogue
from runtime.adapters import system_ports
from runtime.envelope import shard_of
from runtime.gateway.desk.known import RepairDesk
from runtime.gateway.desk.server import DeskServer
from runtime.protos import admin_pb2_grpc
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord
from runtime.store.port import Store
from runtime.store.records import ActorRow
from tests.unit.admin.test_repair import stuck
from tests.unit.operate.rows import id_of, row_of

__all__ = ["SAGA", "Stub", "act_of", "served_at", "serving", "stuck_row"]

SAGA = "order-process/ORD-1"
SHARDS = 16

Stub: TypeAlias = "admin_pb2_grpc.AdminServiceAsyncStub"  # named so in the generated stubs only


@asynccontextmanager
async def serving(store: Store, *, allow_acts: bool = False, knows: bool = True) -> AsyncIterator[Stub]:
    served = served_at(store, allow_acts=allow_acts, knows=knows)
    async with served as address, grpc.aio.insecure_channel(address) as channel:
        stub: Stub = admin_pb2_grpc.AdminServiceStub(channel)
        yield stub


@asynccontextmanager
async def served_at(store: Store, *, allow_acts: bool = False, knows: bool = True) -> AsyncIterator[str]:
    """Gives the address. `knows`: the desk has the catalogue of the order system."""
    ports, known = system_ports(), catalogue()
    desk = RepairDesk.of(store, known, ports.clock) if knows else RepairDesk(store, known.contracts, ports.clock)
    server = DeskServer(desk, "127.0.0.1:0", ports, allow_acts=allow_acts)
    await server.start()
    try:
        yield server.address
    finally:
        await server.close(0.0)


def stuck_row(key: str = "ORD-1", number: int = 1) -> ActorRow:
    """An order whose refund cannot be made, as a node would find it."""
    record = SagaRecord.FromString(stuck().SerializeToString())
    record.conversation = id_of(1_000 + number)
    return replace(row_of(record, key), shard=shard_of(key, SHARDS), conversation=record.conversation)


def act_of(act: str, *, task: str = "", expect: int | None = None, digest: str = "") -> RepairSaga:
    return RepairSaga(
        act=RepairSaga.Act.Value(act),
        task=task,
        reason="the bank was called",
        who="ann",
        expected_revision=expect,
        digest=digest,
    )
