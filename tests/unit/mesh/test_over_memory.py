"""The behaviour of a mesh, over memory."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.mesh import behaviour
from tests.unit.mesh.world import MemoryWorld, MeshWorld


@pytest.fixture
async def world() -> AsyncIterator[MeshWorld]:
    world = MemoryWorld()
    yield world
    await world.end()


class TestOrderOverMemory(behaviour.MeshOrder): ...


class TestLimitsOverMemory(behaviour.MeshLimits): ...


class TestRefusalsOverMemory(behaviour.MeshRefusals): ...


class TestProofOverMemory(behaviour.MeshProof): ...


class TestSilenceOverMemory(behaviour.MeshSilence): ...


class TestMembersOverMemory(behaviour.MeshMembers): ...


class TestWhoAnswersOverMemory(behaviour.MeshWhoAnswers): ...
