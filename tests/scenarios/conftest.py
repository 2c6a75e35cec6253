"""The order system on two nodes, once over memory and once over SQLite."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from actors.catalogue import catalogue
from protos.warehouse_pb2 import Restock
from runtime.testing import Cluster
from runtime.testing.fixtures import MakeCluster

OpenShop = Callable[[int], Awaitable[Cluster]]


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
