"""The page of a node: served at `page_listen`, and nowhere when that is empty.

It is the application that `amends page` serves, and reads through views of its own. So what people look at waits for
nothing that the node reads, and takes none of its connections. A store in memory, or one that a program gave the node,
has no second view, and is read itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runtime.config import Settings
from runtime.errors import InvalidSettings
from runtime.ports import Fact, Ports
from runtime.saga.catalogue import Catalogue
from runtime.store.port import OperatorStore, Store

if TYPE_CHECKING:
    from runtime.page.server import PageServer

__all__ = ["NodePage", "PageServed"]

_IN_MEMORY = "memory:"
_View = Callable[[], AbstractAsyncContextManager[OperatorStore]]


@dataclass(frozen=True, slots=True)
class PageServed(Fact):
    """People find the page of the cluster here."""

    url: str


class NodePage:
    """`start` it once, and `close` it whether or not it has started."""

    def __init__(
        self, settings: Settings, store: Store, catalogue: Catalogue, ports: Ports, *, is_given: bool = False
    ) -> None:
        """Raises InvalidSettings when the setting asks for what is not installed, or for no address of the loopback.

        `is_given`: the store is none that the settings name.
        """
        self._ports = ports
        self._server: PageServer | None = None
        if settings.page_listen:
            is_own = is_given or settings.shown_store.startswith(_IN_MEMORY)
            view = _itself(store) if is_own else None
            self._server = _server(settings, store, view, catalogue, ports)

    async def start(self) -> None:
        """Listen, if it is told where. Raises AddressInUse, InvalidSettings."""
        if self._server is not None:
            await self._server.start()
            self._ports.report(PageServed(self._server.url))

    async def close(self, grace_s: float) -> None:
        """Ends within `grace_s` and two seconds, whatever browsers do."""
        if self._server is not None:
            await self._server.close(grace_s)


def _server(settings: Settings, store: Store, view: _View | None, catalogue: Catalogue, ports: Ports) -> PageServer:
    """A node without a page imports nothing of it. Acts go to the store that the node has open."""
    try:
        from runtime.page.desk import PageDesk, acting_by, view_of
        from runtime.page.known_catalogue import KnownCatalogue
        from runtime.page.login import login
        from runtime.page.server import PageServer
    except ModuleNotFoundError as missing:
        raise InvalidSettings(
            f"page_listen needs {missing.name}, which is not installed: pip install 'amends[page]'"
        ) from missing
    acting = acting_by(_itself(store), ports, catalogue, login()) if settings.admin_acts == "allow" else None
    view, known = view or view_of(settings.store, ports), KnownCatalogue(catalogue)
    desk = PageDesk(view, catalogue.contracts, settings.shown_store, acting, known)
    return PageServer(desk, settings.page_listen, ports)


def _itself(store: OperatorStore) -> _View:
    @asynccontextmanager
    async def view() -> AsyncIterator[OperatorStore]:
        yield store

    return view
