"""What a node tells the store of kinds before it is a member: what they are called, their versions, subscriptions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from runtime.durable.behaviour import Behaviour, Versioned
from runtime.errors import InvalidDefinition
from runtime.failpoints import Failpoint
from runtime.kind_names import KindNames, conflicts, never_heard_of
from runtime.ports import Fact, Ports
from runtime.store.definitions import DefinitionRow
from runtime.store.port import MemberStore

__all__ = ["FormerNameUnknown", "claim_names", "enrol"]


@dataclass(frozen=True, slots=True)
class FormerNameUnknown(Fact):
    """A kind that was renamed has a first name of which the store has never heard: its name may be misspelt."""

    level: ClassVar[str] = "warning"
    error: str


async def claim_names(store: MemberStore, names: KindNames, kinds: Iterable[str], ports: Ports) -> None:
    """Have the store confirm what every name of a kind stands for, before anything is sent to one or hosted.

    `names` and `kinds` are those of the whole catalogue, for a node sends to kinds that it does not host, too. A name
    stands for the same kind on every node, whatever build it runs. So no two actors ever have one business key.
    Raises InvalidDefinition when the store knows better, and StoreError.
    """
    if names.renamed:
        for error in never_heard_of(names, await store.keep_kind_names({})):
            ports.report(FormerNameUnknown(error))
    all_names = {**{kind: kind for kind in kinds}, **names.by_name}
    if wrong := conflicts(all_names, await store.keep_kind_names(all_names)):
        raise InvalidDefinition("; ".join(wrong))


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
