"""The behaviour of a mesh, over gRPC on loopback."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.mesh import behaviour
from tests.unit.mesh.world import GrpcWorld, MeshWorld


@pytest.fixture
async def world() -> AsyncIterator[MeshWorld]:
    world = GrpcWorld()
    yield world
    await world.end()


class TestOrderOverGrpc(behaviour.MeshOrder): ...


class TestLimitsOverGrpc(behaviour.MeshLimits): ...


class TestRefusalsOverGrpc(behaviour.MeshRefusals): ...


class TestProofOverGrpc(behaviour.MeshProof): ...


class TestSilenceOverGrpc(behaviour.MeshSilence): ...


class TestMembersOverGrpc(behaviour.MeshMembers): ...


class TestWhoAnswersOverGrpc(behaviour.MeshWhoAnswers): ...
