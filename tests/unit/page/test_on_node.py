"""A node serves the page only where it is told to, imports it only then, and ends it when it stops."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from actors.catalogue import catalogue
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.errors import AddressInUse, InvalidSettings
from runtime.host import Node
from runtime.page.on_node import NodePage, PageServed
from runtime.ports import Fact
from runtime.store.memory import MemoryStore
from tests.unit.gateway.desk.serving import SHARDS, stuck_row
from tests.unit.operate.rows import fill, saga
from tests.unit.page.conftest import PageStore
from tests.unit.page.filling import acted, offered, sent
from tests.unit.page.seen import SeenPage

_TOLD = """
import sys
import runtime.host
foreign = ("uvicorn", "starlette", "jinja2")
print(*sorted(one for one in sys.modules if one.startswith("runtime.page.") or one in foreign))
"""


def test_a_node_without_a_page_imports_nothing_for_it() -> None:
    told = subprocess.run([sys.executable, "-c", _TOLD], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["runtime.page.on_node"]


def test_a_node_that_lacks_the_extra_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("runtime.page.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette.applications", None)
    ports = system_ports()
    with pytest.raises(InvalidSettings, match=r"page_listen needs starlette.*pip install 'amends\[page\]'"):
        NodePage(Settings(page_listen="127.0.0.1:0"), MemoryStore(ports), catalogue(), ports)


def test_a_page_beyond_the_loopback_is_refused_before_the_node_starts() -> None:
    ports = system_ports()
    with pytest.raises(InvalidSettings, match=r"the page cannot listen on '0\.0\.0\.0:7680'"):
        Node(Settings(page_listen="0.0.0.0:7680"), catalogue(), ports, store=MemoryStore(ports))


@asynccontextmanager
async def paged(settings: Settings, facts: list[Fact]) -> AsyncIterator[tuple[Node, httpx.AsyncClient]]:
    """A running node, and a browser at its page."""
    node = Node(settings, catalogue(), system_ports(facts.append))
    await node.start()
    try:
        [served] = [fact for fact in facts if isinstance(fact, PageServed)]
        async with httpx.AsyncClient(base_url=served.url, trust_env=False) as browser:
            yield node, browser
    finally:
        await node.stop()


async def test_a_node_shows_its_own_cluster_and_ends_the_page_while_somebody_looks(place: PageStore) -> None:
    async with place.writing() as store:
        await fill(store, saga("ORD-7"))
    settings = Settings(store=place.url, listen="127.0.0.1:0", page_listen="127.0.0.1:0", name="one", drain_s=1.0)
    facts: list[Fact] = []
    async with paged(settings, facts) as (node, browser):
        seen = SeenPage((await browser.get("/cluster")).text)
        assert "1 of 1 node has a lease" in seen.text
        assert "order-process/ORD-7" in (await browser.get("/sagas")).text
        async with browser.stream("GET", "/live?of=/cluster&seen=nodes.0") as stream:
            lines = stream.aiter_lines()
            while not (await anext(lines)).startswith("event: changed-nodes"):
                pass
            stopping = asyncio.ensure_future(node.stop())
            async for _ in lines:  # until the page ends it
                pass
            assert await stopping
        with pytest.raises(httpx.ConnectError):
            await browser.get("/livez")

    taken = Settings(store=place.url, listen="127.0.0.1:0", page_listen=str(browser.base_url.netloc.decode()))
    async with asyncio.timeout(30):
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", browser.base_url.port)
        async with server:
            with pytest.raises(AddressInUse):
                await Node(taken, catalogue(), system_ports()).start()


async def test_the_page_of_a_node_acts_if_the_node_allows_acts(place: PageStore) -> None:
    async with place.writing() as store:
        await fill(store, stuck_row())
    settings = Settings(store=place.url, listen="127.0.0.1:0", page_listen="127.0.0.1:0", name="one", drain_s=1.0)
    page = "/sagas/order-process/ORD-1"
    async with paged(replace(settings, admin_acts="allow", shards_per_kind=SHARDS), []) as (_, browser):
        browser.headers["origin"] = str(browser.base_url).rstrip("/")
        form = await offered(browser, page, "abandon")
        assert "Done ends as it is" in (await acted(browser, page, "abandon")).text
    async with paged(settings, []) as (_, browser):
        browser.headers["origin"] = str(browser.base_url).rstrip("/")
        assert "This page changes nothing." in (await browser.get("/")).text
        refused = await sent(browser, form, reason="x")
        assert refused.status_code == 403 and "its node does not say admin_acts" in SeenPage(refused.text).text


async def test_a_node_over_a_store_in_memory_shows_that_store() -> None:
    settings = Settings(store="memory:", listen="127.0.0.1:0", page_listen="127.0.0.1:0", name="one")
    async with paged(settings, []) as (_, browser):
        assert "1 of 1 node has a lease" in (await browser.get("/")).text
