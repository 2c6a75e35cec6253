"""Whether a node takes part: it has joined, its lease is sure, and it runs all the shards that it has taken.

A sure lease means that the store has answered within the last `lease_s`. So no probe asks the store, and a store that
is slow gets no further load from those who look.
"""

from __future__ import annotations

from runtime.gateway.monitor.parts import NodeParts

__all__ = ["reasons_not_ready"]


def reasons_not_ready(parts: NodeParts | None, *, is_leaving: bool) -> list[str]:
    """In words, for people; empty for a node that is ready. `parts` are None before it has joined its cluster."""
    if parts is None:
        return ["the node is starting"]
    if is_leaving:
        return ["the node is stopping"]
    reasons = []
    if not parts.membership.lease_is_sure():
        reasons.append("its lease is not sure: the store has not answered a renewal in time")
    taking = sorted(kind for kind, sweeper in parts.sweepers.items() if not sweeper.ownership.is_settled)
    if taking:
        reasons.append(f"it is taking over shards of {', '.join(taking)}")
    return reasons
