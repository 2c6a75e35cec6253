"""The behaviour of a mesh, over gRPC on loopback."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.mesh import behaviour
from tests.unit.mesh.world import GrpcWorld, World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = GrpcWorld()
    yield world
    await world.end()


class TestOrder(behaviour.MeshOrder): ...


class TestLimits(behaviour.MeshLimits): ...


class TestRefusals(behaviour.MeshRefusals): ...


class TestProof(behaviour.MeshProof): ...


class TestSilence(behaviour.MeshSilence): ...


class TestMembers(behaviour.MeshMembers): ...


class TestProbe(behaviour.MeshProbe): ...
