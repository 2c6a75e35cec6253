"""The kinds that a command may name: mail for a kind that nobody has ever heard of would wait for ever.

    kind of a command ──▶ in the catalogue, or in a contract ──▶ accepted, nothing is read
                      └─▶ else the store is asked: a member, a shard, a subscription or an actor of it ──▶ accepted

A kind of which no node lives is known: its shards have rows in the store, and its mail waits for the next node.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from runtime.errors import InvalidMessage
from runtime.store.port import OperatorStore

__all__ = ["KnownKinds"]


class KnownKinds:
    """`kinds` are those of the node's own catalogue and contracts, whether or not anybody hosts them yet."""

    def __init__(self, kinds: Iterable[str], store: OperatorStore) -> None:
        self._sure = frozenset(kinds)
        self._store = store

    async def check(self, kind: str) -> None:
        """Raises InvalidMessage, with the nearest name, for a kind that nobody knows; and StoreError."""
        if kind in self._sure:
            return
        known = self._sure | (await self._store.cluster()).kinds
        if kind in known or await self._store.actors(kind, limit=1):
            return
        nearest = get_close_matches(kind, sorted(known), n=1)
        hint = f"the nearest is {nearest[0]!r}" if nearest else f"there are {', '.join(sorted(known))}"
        raise InvalidMessage(f"no node and no stored row knows a kind {kind!r}, so nothing was sent; {hint}")
