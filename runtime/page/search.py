"""One box for all that has a name: a key, kind/key, a conversation, a kind, a node, or how the keys of sagas begin."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.observe.conversation import read_conversation
from runtime.operate.lookup import accounts
from runtime.operate.survey import Wanted, sagas
from runtime.page.desk import PageDesk
from runtime.page.links import PageAddress, actor_link, conversation_link, link
from runtime.page.screen import ROWS_MAX, Screen
from runtime.store.port import OperatorStore

__all__ = ["search"]

_BEGIN_MAX = 50
_CHARS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Hit:
    what: str
    name: str
    link: str


async def search(desk: PageDesk, target: PageAddress) -> Screen:
    """Goes there at once if exactly one thing has that name. Raises StoreError."""
    text = target.query.get("q", "").strip()[:_CHARS_MAX]
    hits: list[Hit] = []
    if text:
        async with desk.view() as store:
            hits = await _named(store, desk, text)
            if len(hits) == 1:
                return Screen("find", "Find", elsewhere=hits[0].link)
            hits += await _begun(store, text, hits)
    return Screen("find", "Find", still=("hits",), values={"q": text, "hits": hits[:ROWS_MAX]})


async def _named(store: OperatorStore, desk: PageDesk, text: str) -> list[Hit]:
    hits = []
    for one in await accounts(store, desk.contracts, text):
        is_saga = one.saga is not None
        hits.append(Hit("saga" if is_saga else "actor", one.address, actor_link(one.kind, one.key, is_saga=is_saga)))
    view = await store.cluster()
    kinds = {*view.kinds, *(kind for kind, _, _ in await store.summary_counts())}
    hits += [Hit("sagas of the kind", text, link("/sagas", {"kind": text}))] if text in kinds else []
    hits += [Hit("node", node.name, "/") for node in view.nodes if node.name == text]
    return hits + await _conversation(store, text)


async def _conversation(store: OperatorStore, text: str) -> list[Hit]:
    try:
        id = bytes.fromhex(text)
    except ValueError:
        return []
    found = await read_conversation(store, id) if len(id) == 16 else None
    return [Hit("conversation", id.hex(), conversation_link(id))] if found and found.messages else []


async def _begun(store: OperatorStore, text: str, known: list[Hit]) -> list[Hit]:
    """Sagas whose key begins so, longest without progress first."""
    links = {one.link for one in known}
    page = await sagas(store, Wanted(key=text), limit=_BEGIN_MAX)
    found = [Hit("saga", f"{one.kind}/{one.key}", actor_link(one.kind, one.key)) for one in page.entries]
    return [one for one in found if one.link not in links]
