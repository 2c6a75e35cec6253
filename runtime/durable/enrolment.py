"""What a node tells the store of the kinds that it hosts, before it is a member: their versions and subscriptions."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.durable.behaviour import Behaviour, Versioned
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.store.definitions import DefinitionRow
from runtime.store.port import MemberStore

__all__ = ["enrol"]


async def enrol(store: MemberStore, behaviours: Sequence[Behaviour], ports: Ports) -> None:
    """Raises StoreError."""
    now_s = ports.clock.now_s()
    versioned = [one for one in behaviours if isinstance(one, Versioned)]
    await store.keep_definitions([_definition(one.kind, one, now_s) for one in versioned])
    for behaviour in behaviours:
        await store.subscribe(behaviour.subscriptions, kind=behaviour.kind)
        ports.failpoint(Failpoint.SUBSCRIBED)


def _definition(kind: str, behaviour: Versioned, now_s: float) -> DefinitionRow:
    version, body = behaviour.described
    return DefinitionRow(kind, version, now_s, body)
