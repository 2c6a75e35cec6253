"""What the screens read from: a view of the store that is opened for each reading, and the types to read states with.
What forms act by: a store that is opened for each act alike.

Nothing stays open in between. So a page at which nobody looks costs the store nothing, a store that went away is found
again as soon as it is back, and nobody is shown a file that was replaced.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace

from runtime.contracts import Contracts
from runtime.gateway.operators.operator import Operator
from runtime.page.forms import FormRefused
from runtime.page.known_catalogue import KnownCatalogue
from runtime.page.run_carrier import RunCarrier
from runtime.page.seal import FormSeal
from runtime.ports import Clock, Ids, Ports
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.catalogue import Catalogue
from runtime.saga.definition import Definition
from runtime.store.open import open_store
from runtime.store.port import OperatorStore

__all__ = ["Acting", "PageDesk", "acting_by", "acting_on", "view_of"]


@dataclass(frozen=True, slots=True)
class Acting:
    """What a page needs that also acts."""

    store: Callable[[], AbstractAsyncContextManager[OperatorStore]]  # to write to
    definitions: tuple[Definition, ...]  # of this build, by which acts are previewed; empty without a catalogue
    who: str  # acts if the form says nobody else
    seal: FormSeal
    clock: Clock
    ids: Ids
    runs: RunCarrier
    operator: Operator | None = None  # who acts, where the page knows it: nobody acts in another name


@dataclass(frozen=True, slots=True)
class PageDesk:
    """`name` is how people know the store: its URL without a password."""

    view: Callable[[], AbstractAsyncContextManager[OperatorStore]]
    contracts: Contracts
    name: str
    acting: Acting | None = None  # a page without it only reads
    known: KnownCatalogue | None = None  # of this build: by it pasts are told, and flows drawn

    def of(self, operator: Operator | None) -> PageDesk:
        """As this operator has it: one who may only read has a page that only reads."""
        if operator is None or self.acting is None:
            return self
        acting = replace(self.acting, who=operator.name, operator=operator) if operator.may_act else None
        return replace(self, acting=acting)

    def over(self, store: OperatorStore) -> PageDesk:
        """As it reads from a store that somebody else has opened, and closes."""
        return replace(self, view=lambda: nullcontext(store))

    def must_act(self) -> Acting:
        """Raises FormRefused on a page that only reads."""
        if self.acting is None:
            raise FormRefused(
                "this page only reads for you: it was started with --read-only, its node does not say admin_acts = "
                '"allow", or your rights are to read. Act by the command line, have it started so that it acts, or ask '
                "for the right to act"
            )
        return self.acting


def acting_on(url: str, ports: Ports, catalogue: Catalogue | None, who: str) -> Acting:
    """Acts on the store of this URL, and previews what the sagas of the catalogue would do."""
    return acting_by(_opening(url, ports, view=False), ports, catalogue, who)


def acting_by(
    store: Callable[[], AbstractAsyncContextManager[OperatorStore]], ports: Ports, catalogue: Catalogue | None, who: str
) -> Acting:
    """The same on a store that is opened so."""
    known = catalogue.behaviours if catalogue is not None else ()
    definitions = tuple(one.definition for one in known if isinstance(one, SagaBehaviour))
    key = ports.ids.new_id() + ports.ids.new_id()
    return Acting(store, definitions, who, FormSeal(key), ports.clock, ports.ids, RunCarrier(store, ports))


def view_of(url: str, ports: Ports) -> Callable[[], AbstractAsyncContextManager[OperatorStore]]:
    """Opens the store of this URL for one reading. Entering raises StoreError, and InvalidSettings for a wrong URL."""
    return _opening(url, ports, view=True)


def _opening(url: str, ports: Ports, *, view: bool) -> Callable[[], AbstractAsyncContextManager[OperatorStore]]:
    @asynccontextmanager
    async def opened() -> AsyncIterator[OperatorStore]:
        store = open_store(url, ports, create=False, view=view)
        try:
            await store.open()
            yield store
        finally:
            await store.close()

    return opened
