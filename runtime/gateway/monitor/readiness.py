"""Whether a node takes part: it has joined, its lease is sure, and it runs all the shards that it has taken.

A sure lease means that the store has answered within the last `lease_s`. So no probe asks the store, and a store that
is slow gets no further load from those who look.
"""

from __future__ import annotations

from runtime.gateway.monitor.parts import NodeParts

__all__ = ["Readiness"]


class Readiness:
    """Of one node. `parts` is None before it has joined its cluster."""

    def __init__(self) -> None:
        self.parts: NodeParts | None = None
        self._is_leaving = False

    def is_ready(self) -> bool:
        return not self.reasons()

    def watch(self, parts: NodeParts) -> None:
        """The node takes part from now on, by these parts."""
        self.parts = parts

    def leave(self) -> None:
        """The node takes nothing new from now on."""
        self._is_leaving = True

    def reasons(self) -> list[str]:
        """Why it is not ready, in words for people; empty for a node that is."""
        parts = self.parts
        if parts is None:
            return ["the node is starting"]
        if self._is_leaving:
            return ["the node is stopping"]
        reasons = []
        if not parts.membership.lease_is_sure():
            reasons.append("its lease is not sure: the store has not answered a renewal in time")
        taking = sorted(kind for kind, sweeper in parts.sweepers.items() if not sweeper.ownership.is_settled)
        if taking:
            reasons.append(f"it is taking over shards of {', '.join(taking)}")
        return reasons
