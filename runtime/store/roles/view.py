"""What members and operators see of a cluster alike."""

from __future__ import annotations

from typing import Protocol

from runtime.store.records import ClusterView

__all__ = ["ViewStore"]


class ViewStore(Protocol):
    async def cluster(self) -> ClusterView:
        """All membership tables at one instant."""
        ...

    async def now_s(self) -> float:
        """The store's clock."""
        ...
