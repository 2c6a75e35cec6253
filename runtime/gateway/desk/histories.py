"""Histories whose pages are being read: each is made once, and not again for every page.

first page ──▶ read_history: all messages are replayed ──▶ kept
next page  ──▶ kept, and the saga has not moved? ──yes──▶ its entries       ──no──▶ read_history
"""

from __future__ import annotations

from runtime.envelope import Address
from runtime.gateway.desk.known import RepairDesk
from runtime.operate.history import InstanceHistory, read_history

__all__ = ["Histories"]

_KEPT_MAX = 4
_KEPT_BYTES_MAX = 16 * 1024 * 1024
"""One that would be larger is made again for each page: an entry has the record before and after it."""


class Histories:
    """The last few that were read. Beyond that the one that was asked for longest ago is forgotten."""

    def __init__(self, desk: RepairDesk) -> None:
        self._desk = desk
        self._kept: dict[Address, InstanceHistory] = {}

    async def first(self, address: Address) -> InstanceHistory:
        """As the store has it now. Raises NotFound, StoreError."""
        self._kept.pop(address, None)
        desk = self._desk
        found = await read_history(desk.store, desk.contracts, desk.behaviours, address)
        if 2 * len(found.row.state) * len(found.entries) <= _KEPT_BYTES_MAX:
            self._kept[address] = found
            while len(self._kept) > _KEPT_MAX:
                del self._kept[next(iter(self._kept))]
        return found

    async def next(self, address: Address) -> InstanceHistory:
        """As the first page of it was made of, unless the saga has moved since. Raises NotFound, StoreError."""
        kept = self._kept.get(address)
        if kept is not None:
            (row,) = await self._desk.store.load([address])
            if row is not None and (row.revision, row.last_id) == (kept.row.revision, kept.row.last_id):
                return kept
        return await self.first(address)
