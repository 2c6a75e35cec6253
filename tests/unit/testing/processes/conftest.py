"""The servers, proxies and processes of these tests."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.testing.processes.harness import Harness
from runtime.testing.processes.proxy import ProxiedLink, Proxy
from tests.unit.testing.processes.echo import Target
from tests.unit.testing.processes.scripted import SCRIPT, ready


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    server = Target()
    yield server
    await server.close()


@pytest.fixture
async def proxy(target: Target) -> AsyncIterator[Proxy]:
    async with Proxy(await target.start()) as proxy:
        yield proxy


@pytest.fixture
def link(proxy: Proxy) -> ProxiedLink:
    return proxy.link()


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return Harness(command=[sys.executable, str(script)], directory=tmp_path / "run", ready=ready)
