"""From any name that an operator gives a kind to the one that the store has, and what is wrong with such names."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.envelope import Address
from runtime.kind_names import KindNames, conflicts, never_heard_of
from runtime.store.roles.view import ViewStore

__all__ = ["lost_kinds", "stored_address", "stored_kind", "wrong_names"]


async def stored_kind(store: ViewStore, kind: str) -> str:
    """A kind by the name that the store has for it; what is no name of a kind there stays as it is.

    Raises StoreError.
    """
    return (await store.keep_kind_names({})).get(kind, kind) if kind else ""


async def stored_address(store: ViewStore, address: Address) -> Address:
    """The address of the same actor by the name that the store has for its kind. Raises StoreError."""
    kind, key = address
    return await stored_kind(store, kind), key


async def wrong_names(store: ViewStore, names: KindNames, kinds: Iterable[str]) -> list[str]:
    """Why a build with these names, and these kinds, must not run on the store, each with its cure. Raises StoreError.

    A first name of which the store has never heard is among them: a node would only warn of it.
    """
    kept = await store.keep_kind_names({})
    return [*conflicts({**{kind: kind for kind in kinds}, **names.by_name}, kept), *never_heard_of(names, kept)]


async def lost_kinds(store: ViewStore, names: KindNames, kinds: Iterable[str]) -> list[str]:
    """Kinds that the store knows, that this build lacks and no live node hosts: one may have another name now.

    Raises StoreError.
    """
    kept, view = await store.keep_kind_names({}), await store.cluster()
    hosted = {kind for node in view.nodes if node.lease_until_s > view.now_s for kind in node.kinds}
    return [
        f"the store has the kind {kind!r}, and this build has none that is, or was, called so; if one of its kinds is "
        f"that one by another name, write formerly=({kind!r},) in its class"
        for kind in sorted(set(kept.values()) - hosted - {*names.by_name, *kinds})
    ]
