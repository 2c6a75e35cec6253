"""Which node owns which shards, and why that one: records made from the tables of members, which every node goes by.

ClusterView ──shards_of──▶ ShardEntry     by kind, owner and reason
           └──whys──▶ a reason for each shard
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.cluster.beside import heeded, unheeded
from runtime.cluster.placement import Slot
from runtime.store.records import ClusterView, ShardRow

__all__ = ["ShardEntry", "shards_of", "whys"]

_SHARE = "an equal share"


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """Shards of one kind that one node owns for one reason. Those that nobody owns have an empty owner."""

    kind: str
    owner: str
    shards: tuple[int, ...]
    alive: bool  # whether the owner has a lease
    why: str = ""  # they lie there, for people; empty if nobody owns them


def shards_of(view: ClusterView) -> tuple[ShardEntry, ...]:
    """Who owns what, by kind and owner."""
    alive = {node.name for node in view.nodes if node.lease_until_s > view.now_s}
    groups: dict[tuple[str, str, str], list[int]] = {}
    reasons = whys(view)
    for row in view.shards:
        groups.setdefault((row.kind, row.owner, reasons[row.kind, row.shard]), []).append(row.shard)
    return tuple(
        ShardEntry(kind, owner, tuple(sorted(shards)), owner in alive, why)
        for (kind, owner, why), shards in sorted(groups.items())
    )


def whys(view: ClusterView) -> Mapping[Slot, str]:
    """Why each shard lies where it does, in a few words; empty if nobody owns it."""
    owners = {(row.kind, row.shard): row.owner for row in view.shards}
    hosts = {(node.name, kind) for node in view.nodes for kind in node.kinds}
    partners, vain = heeded(view.nodes), unheeded(view.nodes)

    def why(row: ShardRow) -> str:
        if not row.owner:
            return ""
        if (partner := partners.get(row.kind)) is None:
            wished = vain.get(row.kind)
            return f"{_SHARE}: not all nodes agree that it lives beside {wished}" if wished else _SHARE
        other = owners.get((partner, row.shard), "")
        if other == row.owner:
            return f"beside {partner}"
        if (other, row.kind) in hosts:
            return f"about to move beside {partner} on {other}"
        where = f"on {other}, which does not host it" if other else "nobody's"
        return f"{_SHARE}: {partner} is {where}"

    return {(row.kind, row.shard): why(row) for row in view.shards}
