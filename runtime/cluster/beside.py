"""Which kinds live beside others: a saga's shard on the node that the same shard of a service belongs to.

    Catalogue.beside ──with_wishes──▶ NodeRow.carries ──every node reads all rows──▶ heeded ──▶ place

A node says of the kinds that it hosts what its catalogue says, and that its build heeds such wishes at all. A wish
counts if all hosts of the kind have the same, and no member's build would ignore it. So every node that has read the
same members heeds the same wishes, whatever its own catalogue says. Without that, an old build and a new one would
take a shard from each other for as long as both run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from runtime.store.records import NodeRow

__all__ = ["heeded", "unheeded", "wishes_of", "with_wishes"]

_HEEDS = "<"
"""What a build that heeds wishes says. Older builds read it as KIND<TYPE of a kind without a name, and heed nothing."""


def with_wishes(node: NodeRow, beside: Mapping[str, str]) -> NodeRow:
    """The row of a node that heeds wishes, and says those about the kinds that it hosts.

    `beside`: by kind, the partner beside which it is to live.
    """
    wishes = (f"{_HEEDS}{kind}/{beside[kind]}" for kind in node.kinds if kind in beside)
    return replace(node, carries=(*node.carries, _HEEDS, *wishes))


def wishes_of(node: NodeRow) -> dict[str, str]:
    """By kind, the partner that a node says it lives beside. No kind has a slash in its name."""
    found = (one.removeprefix(_HEEDS).partition("/") for one in node.carries if one.startswith(_HEEDS))
    return {kind: partner for kind, _, partner in found if kind and partner}


def heeded(nodes: Iterable[NodeRow]) -> dict[str, str]:
    """By kind, the partner that it lives beside. A partner follows nobody itself."""
    nodes = list(nodes)
    agreed = {kind: max(partners) for kind, partners in _wished(nodes).items() if len(partners) == 1}
    if not all(_HEEDS in node.carries for node in nodes):
        return {}
    return {kind: partner for kind, partner in agreed.items() if partner and not agreed.get(partner)}


def unheeded(nodes: Iterable[NodeRow]) -> dict[str, str]:
    """By kind, a partner that some node wishes for, and that the kind does not live beside for all that."""
    nodes = list(nodes)
    heeds = heeded(nodes)
    wished = {kind: max(partners) for kind, partners in _wished(nodes).items()}
    return {kind: partner for kind, partner in wished.items() if partner and kind not in heeds}


def _wished(nodes: Iterable[NodeRow]) -> dict[str, set[str]]:
    """By kind, what its hosts wish for; an empty text stands for nothing."""
    wished: dict[str, set[str]] = {}
    for node in nodes:
        wishes = wishes_of(node)
        for kind in node.kinds:
            wished.setdefault(kind, set()).add(wishes.get(kind, ""))
    return wished
