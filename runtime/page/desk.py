"""What the screens read from: a view of the store that is opened for each reading, and the types to read states with.

Nothing stays open in between. So a page at which nobody looks costs the store nothing, a store that went away is found
again as soon as it is back, and nobody is shown a file that was replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from runtime.contracts import Contracts
from runtime.ports import Ports
from runtime.store.open import open_store
from runtime.store.port import OperatorStore

__all__ = ["PageDesk", "view_of"]


@dataclass(frozen=True, slots=True)
class PageDesk:
    """`name` is how people know the store: its URL without a password."""

    view: Callable[[], AbstractAsyncContextManager[OperatorStore]]
    contracts: Contracts
    name: str


def view_of(url: str, ports: Ports) -> Callable[[], AbstractAsyncContextManager[OperatorStore]]:
    """Opens the store of this URL for one reading. Entering raises StoreError, and InvalidSettings for a wrong URL."""

    @asynccontextmanager
    async def view() -> AsyncIterator[OperatorStore]:
        store = open_store(url, ports, create=False, view=True)
        try:
            await store.open()
            yield store
        finally:
            await store.close()

    return view
