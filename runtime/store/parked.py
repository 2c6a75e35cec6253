"""Where a page of parked mail ends."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.store.records import MailRow

__all__ = ["ParkedPlace"]


@dataclass(frozen=True, slots=True, order=True)
class ParkedPlace:
    """The next page begins behind it, whether or not the row is still there. One id can wait for several actors."""

    id: bytes
    kind: str
    key: str
    shard: int

    @classmethod
    def of(cls, row: MailRow) -> ParkedPlace:
        return cls(row.id, row.kind, row.key, row.shard)
