"""What members and operators see of a cluster alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from runtime.store.records import ClusterView

__all__ = ["ViewStore"]


class ViewStore(Protocol):
    async def cluster(self) -> ClusterView:
        """All membership tables at one instant."""
        ...

    async def keep_kind_names(self, names: Mapping[str, str]) -> Mapping[str, str]:
        """Keep, by name of a kind, the name that this store has for it: all of `names`, or nothing of them.

        Nothing, if one of them is kept with another value: a name that is kept stays as it is for the life of the
        store. Look and write are one transaction, so that of two nodes that disagree one is told so. Gives all that is
        kept now. So whoever misses something of its own there has written nothing, and without `names` it only reads.
        """
        ...

    async def now_s(self) -> float:
        """The store's clock."""
        ...
