"""Tells which processes of a harness serve. It finds them in their store, as peers do, and asks for their health.

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
    """Opens the store once it exists, and keeps it open."""

    def __init__(self, store_url: str) -> None:
        self._url = store_url
        self._store: Store | None = None
        self._opening = asyncio.Lock()  # Whoever starts a node first opens the store.

    @property
    def store(self) -> Store:
        """The store. Raises StoreError until it is open."""
        if self._store is None:
            raise StoreError("there is no store yet: start a node first")
        return self._store

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()

    async def incarnation_of(self, name: str) -> str:
        """The incarnation that the store knows by this name; empty if it knows none."""
        row = await self._row(name)
        return "" if row is None else row.incarnation

    async def serving(self, name: str, replaced: str, listens: str) -> str | None:
        """The address of a new node of this name, once it says that it serves; else None.

        `replaced` is the incarnation before it. If the node has a proxy, it is asked where it `listens`.
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
        """The node's row; None if there is none, or no store yet."""
        try:
            view = await (await self._opened()).cluster()
        except StoreError:  # A node is about to make the store. A start's time limit notices if it does not.
            return None
        return next((row for row in view.nodes if row.name == name), None)

    async def _opened(self) -> Store:
        """The store. It is opened once, however many nodes start at a time."""
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
