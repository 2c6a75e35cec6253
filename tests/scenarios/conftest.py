"""Clusters of two nodes, once over memory and once over SQLite: the order system, and sagas made for one test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from actors.catalogue import catalogue
from protos.warehouse_pb2 import Restock
from runtime.durable.service import Service
from runtime.saga.catalogue import Catalogue
from runtime.saga.saga import Saga
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster
from tests.unit.saga.test_catalogue import CONTRACTS, SERVICES

OpenShop = Callable[[int], Awaitable[Cluster]]


class OpenSagas(Protocol):
    """Opens a cluster of these sagas, on services that are as short as can be."""

    async def __call__(self, *sagas: type[Saga[Any]], **services: type[Service[Any]]) -> Cluster: ...


@pytest.fixture(params=["memory:", "sqlite:///{}/scenario.db"], ids=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(request.param).format(tmp_path)


@pytest.fixture
def open_shop(make_cluster: MakeCluster, store: str) -> OpenShop:
    """Opens a shop with so many hats."""

    async def opened(hats: int) -> Cluster:
        cluster = await make_cluster(catalogue(), nodes=2, store=store)
        if hats:
            await cluster.send(Restock(sku="HAT", quantity=hats))
        return cluster

    return opened


@pytest.fixture
def open_sagas(make_cluster: MakeCluster, store: str) -> OpenSagas:
    async def opened(*sagas: type[Saga[Any]], **services: type[Service[Any]]) -> Cluster:
        hosted = {**SERVICES, **{name: [service] for name, service in services.items()}, "orchestration": [*sagas]}
        if not sagas:
            del hosted["orchestration"]
        return await make_cluster(Catalogue(contracts=CONTRACTS, services=hosted), nodes=2, store=store)

    return opened
