"""What a node lets a saga send and keep. What goes beyond is the failure of the author's function that made it.

settings, subscriptions of the cluster ──Delivery──▶ NodeBounds ──▶ Instance ──▶ author: AuthorFailed

The turn has the same bounds. It would drop all that a message has led to, and park the message, which nobody got wrong.
"""

from __future__ import annotations

from runtime.durable.behaviour import Unreached, reaches_all
from runtime.record import record

__all__ = ["UNBOUND", "NodeBounds"]


@record(frozen=True, slots=True)
class NodeBounds:
    """Sizes are in bytes; 0 is no limit."""

    message_bytes_max: int = 0  # of a message that is sent
    state_bytes_max: int = 0  # of the whole record of an instance
    unreached: Unreached = reaches_all  # of an event that is published


UNBOUND = NodeBounds()
"""Of a test of one saga, which has no node."""
