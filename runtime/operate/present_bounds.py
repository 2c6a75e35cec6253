"""What the nodes of a store let a saga send and keep, as far as one who reads the store can tell."""

from __future__ import annotations

from runtime.config import settings_of
from runtime.durable.kind import Subscribers
from runtime.saga.node_bounds import NodeBounds
from runtime.store.port import OperatorStore

__all__ = ["present_bounds"]


async def present_bounds(store: OperatorStore) -> NodeBounds:
    """Sizes as this program's settings have them, and who subscribes to what now. Raises StoreError."""
    settings, subscribers = settings_of({"name": "any"}), Subscribers()
    subscribers.learn(await store.cluster())
    return NodeBounds(settings.message_bytes_max, settings.state_bytes_max, subscribers.unreached)
