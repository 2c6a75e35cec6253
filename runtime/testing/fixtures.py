"""Fixtures for pytest with pytest-asyncio. Write pytest_plugins = ["runtime.testing.fixtures"] in your conftest.py.

    async def test_a_trip_survives_a_crash(make_cluster: MakeCluster) -> None:
        cluster = await make_cluster(catalogue(), nodes=2)
        ...

A test that takes `make_cluster` runs on a loop whose time jumps. All other tests keep the loop that they had.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Protocol

import pytest
import pytest_asyncio

from runtime.saga.catalogue import Catalogue
from runtime.testing.cluster.cluster import Cluster
from runtime.testing.cluster.loop import ClusterLoop
from runtime.testing.cluster.nodes import Nodes

__all__ = ["MakeCluster", "make_cluster"]

_FIXTURE = "make_cluster"


class MakeCluster(Protocol):
    async def __call__(
        self,
        catalogue: Catalogue,
        *,
        nodes: Nodes = 2,
        settings: Mapping[str, Any] | None = None,
        store: str = "memory:",
    ) -> Cluster:
        """A cluster that serves. Cluster explains the parameters. After the test it is closed and checked."""
        ...


@pytest_asyncio.fixture
async def make_cluster() -> AsyncIterator[MakeCluster]:
    """Makes clusters for one test and closes them after it. A broken promise fails the test."""
    made: list[Cluster] = []

    async def make(catalogue: Catalogue, **options: Any) -> Cluster:
        cluster = Cluster(catalogue, **options)
        made.append(cluster)
        return await cluster.start()

    yield make
    for cluster in reversed(made):
        await cluster.close()


@pytest.hookimpl(trylast=True, optionalhook=True)
def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Gives tests of clusters a ClusterLoop. A conftest that chooses loops itself is asked first."""
    if _FIXTURE in getattr(item, "fixturenames", ()):
        return {"cluster": ClusterLoop}
    return {"asyncio": asyncio.new_event_loop}
