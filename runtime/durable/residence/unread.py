"""Actors that were made and whose rows are not read yet: the first that runs reads those of others with its own.

Residents ──add──▶ Unread ◀──read── Activation      one query for many, e.g. after a sweep
"""

from __future__ import annotations

from runtime.durable.residence.activation import Activation
from runtime.envelope import Address
from runtime.store.port import Store

__all__ = ["Unread"]

_TOGETHER_MAX = 32  # rows read at once


class Unread:
    """Of one kind on one node."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[Address, Activation] = {}

    def add(self, activation: Activation) -> None:
        self._waiting[activation.address] = activation

    def forget(self, address: Address) -> None:
        self._waiting.pop(address, None)

    async def read(self, activation: Activation) -> None:
        """Read its row, and those of others that are about to need theirs. Raises StoreError."""
        together = [activation]
        self.forget(activation.address)
        while self._waiting and len(together) < _TOGETHER_MAX:
            together.append(self._waiting.popitem()[1])
        rows = await self._store.load([one.address for one in together])
        for one, row in zip(together, rows, strict=True):
            if not one.fetched:
                one.row = row
                one.fetched = True
