"""Which of a harness's processes serve: found in their store, as peers find them, and asked for their health.

Harness ──▶ Members ──▶ the store that the nodes share
                    ──▶ gRPC health at a node's address
"""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from runtime.adapters import system_ports
from runtime.errors import StoreError
from runtime.store.open import open_store
from runtime.store.port import Store
from runtime.store.records import NodeRow

__all__ = ["Members"]


class Members:
    """Opens the store once there is one, and keeps it open."""

    def __init__(self, store_url: str) -> None:
        self._url = store_url
        self._store: Store | None = None
        self._opening = asyncio.Lock()  # by whoever starts a node first

    @property
    def store(self) -> Store:
        """Raises StoreError while nobody has opened it."""
        if self._store is None:
            raise StoreError("there is no store yet: start a node first")
        return self._store

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()

    async def incarnation_of(self, name: str) -> str:
        """Of the node that the store knows by this name; empty if it knows none."""
        row = await self._row(name)
        return "" if row is None else row.incarnation

    async def serving(self, name: str, replaced: str, listens: str) -> str | None:
        """The address of a new node of this name that says that it serves; None as long as there is none.

        `replaced` is the incarnation before it. It is asked where it `listens`, if that is not the address it names.
        """
        row = await self._row(name)
        if row is None or row.incarnation == replaced:
            return None
        request = health_pb2.HealthCheckRequest()
        async with grpc.aio.insecure_channel(listens or row.address) as channel:
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=1.0)
            except grpc.aio.AioRpcError:
                return None
        return row.address if answer.status == health_pb2.HealthCheckResponse.SERVING else None

    async def _row(self, name: str) -> NodeRow | None:
        """What the store says of a node; None as well while there is no store."""
        try:
            view = await (await self._opened()).cluster()
        except StoreError:  # a store that a node is about to make; if it stays away, the start's time limit says so
            return None
        return next((row for row in view.nodes if row.name == name), None)

    async def _opened(self) -> Store:
        """The store, opened once, however many nodes are started at a time."""
        async with self._opening:
            if self._store is None:
                store = open_store(self._url, system_ports(), create=False)
                try:
                    await store.open()
                except StoreError:
                    await store.close()
                    raise
                self._store = store
            return self._store
