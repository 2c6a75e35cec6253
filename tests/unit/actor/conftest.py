from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from runtime.testing.virtual.clock import VirtualLoop
from tests.unit.actor.stage import Stage


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """These tests run on virtual time, which goes on only when nothing is ready to run."""
    return {"virtual": VirtualLoop}


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """A system in virtual time; the test fails if it leaves a task behind."""
    stage = Stage()
    yield stage
    await stage.system.stop()
    await stage.quiet()
    left = [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith(stage.system.name)]
    assert left == []
