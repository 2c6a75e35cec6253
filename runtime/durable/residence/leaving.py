"""Actors whose shards are given up leave memory, each when its turn has ended.

Residents.when_idle(shards, then) ──▶ Leaving ──look, after each turn──▶ stop what is idle; then() when all are
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runtime.durable.residence.activation import Activation
from runtime.envelope import Address

__all__ = ["Leaving"]


class Leaving:
    """Of one kind on one node."""

    def __init__(self, drop: Callable[[Activation], None]) -> None:
        self._drop = drop
        self._parts: list[tuple[frozenset[int], Callable[[], None]]] = []

    def add(self, shards: frozenset[int], then: Callable[[], None]) -> None:
        self._parts.append((shards, then))

    def look(self, table: Mapping[Address, Activation]) -> None:
        """Drop those that are idle by now, and call back for whom all are gone."""
        if not self._parts:
            return
        parts, self._parts = self._parts, []
        for shards, then in parts:
            concerned = [one for one in table.values() if one.shard in shards]
            for activation in concerned:
                if not activation.busy:
                    self._drop(activation)
            if any(activation.busy for activation in concerned):
                self._parts.append((shards, then))
            else:
                then()
