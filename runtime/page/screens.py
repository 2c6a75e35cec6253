"""From what an address asks for to its screen."""

from __future__ import annotations

from runtime.operate.dead_letters import NotFound
from runtime.page.actor import actor
from runtime.page.acts.asking import asking
from runtime.page.acts.told import with_acts
from runtime.page.cluster import cluster
from runtime.page.desk import PageDesk
from runtime.page.exports import export
from runtime.page.flows import flows
from runtime.page.history import history
from runtime.page.letters.listing import dead_letter_screen
from runtime.page.links import PageAddress
from runtime.page.messages import messages
from runtime.page.overview import overview
from runtime.page.proof import proof
from runtime.page.runs.listing import operations
from runtime.page.runs.sagas import select_sagas
from runtime.page.saga_list import saga_list
from runtime.page.screen import Screen
from runtime.page.search import search

__all__ = ["read_screen"]


async def read_screen(desk: PageDesk, target: PageAddress) -> Screen:
    """Raises NotFound, InvalidMessage, FormRefused and StoreError, each with the text for people."""
    match target.path:
        case ("",):
            return await overview(desk)
        case ("sagas",):
            return await saga_list(desk, target)
        case ("sagas" | "actors", kind, *_) if kind:
            return await with_acts(desk, target, await actor(desk, target))
        case ("dead-letters",):
            return await dead_letter_screen(desk, target)
        case ("operations",):
            return await operations(desk, target)
        case ("repair",):
            return await select_sagas(desk, target)
        case ("act",):
            return await asking(desk, target)
        case ("conversations", _, form) if form:
            return await export(desk, target)
        case ("history", kind, *_) if kind:
            return await history(desk, target)
        case ("conversations", *_):
            return await messages(desk, target)
        case ("flows", *_):
            return await flows(desk, target)
        case ("cluster",):
            return await cluster(desk)
        case ("proof",):
            return await proof(desk, target)
        case ("find",):
            return await search(desk, target)
        case _:
            raise NotFound("the page has nothing here; begin with the overview")
