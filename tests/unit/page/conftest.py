"""A real store in a file, and the page over it as a browser asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from actors.catalogue import catalogue
from runtime.adapters import system_ports
from runtime.page.app import PageApp
from runtime.page.desk import PageDesk, acting_on, view_of
from runtime.page.known_catalogue import KnownCatalogue
from runtime.store.open import open_store
from runtime.store.port import Store

Browser = httpx.AsyncClient
OWN = "http://127.0.0.1:7680"


class PageStore:
    """Where the store lies; tests write to it by `writing`, and the page reads it by itself."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.ports = system_ports()
        self.url = f"sqlite:///{file}"

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Store]:
        store = open_store(self.url, self.ports)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    def app(self, *, acts: bool = False, knows: bool = True) -> PageApp:
        """`knows`: the page has the catalogue of the order system."""
        known = catalogue() if knows else None
        acting = acting_on(self.url, self.ports, known, "ann") if acts else None
        here = KnownCatalogue(known) if known is not None else None
        desk = PageDesk(view_of(self.url, self.ports), catalogue().contracts, self.url, acting, here)
        return PageApp(desk, self.ports)

    @asynccontextmanager
    async def browsing(self, *, acts: bool = True, knows: bool = True) -> AsyncIterator[Browser]:
        """A browser at a page of its own, that acts; its forms come from that page."""
        transport = httpx.ASGITransport(self.app(acts=acts, knows=knows).asgi)
        own = {"origin": OWN, "sec-fetch-site": "same-origin"}
        async with httpx.AsyncClient(transport=transport, base_url=OWN, headers=own) as client:
            yield client


@pytest.fixture
async def place(tmp_path: Path) -> PageStore:
    found = PageStore(tmp_path / "page.db")
    async with found.writing():
        pass
    return found


@pytest.fixture
async def browser(place: PageStore) -> AsyncIterator[Browser]:
    transport = httpx.ASGITransport(place.app().asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7680") as client:
        yield client
