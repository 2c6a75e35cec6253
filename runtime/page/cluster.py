"""The cluster as the store knows it: nodes and their leases, owners of shards, and versions that nobody carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runtime.operate.definitions import VersionEntry, versions
from runtime.operate.shards import shards_of
from runtime.operate.survey import WAITS, carriers_of, hosts_of, lacks_version, nodes_of
from runtime.page.desk import PageDesk
from runtime.page.links import link
from runtime.page.proof import proof_link
from runtime.page.screen import ROWS_MAX, Screen
from runtime.store.records import ClusterView, NodeRow

__all__ = ["cluster", "lease_told", "sentence", "versions_of"]

_SILENT = "not known: a node of this kind does not say what it carries"
_OPEN = ("running", "compensating", "stuck", "suspended")


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One node. The store does not know since when it runs: an incarnation is one life of it."""

    node: NodeRow
    lease: str
    tone: str  # class of the style sheet
    shards: int
    versions: tuple[str, ...]  # KIND/VERSION of the sagas that it carries


@dataclass(frozen=True, slots=True)
class VersionLine:
    """One version of a saga, and who can go on with it."""

    entry: VersionEntry
    carriers: tuple[str, ...]
    missing: str  # why nobody is known to carry it; empty where somebody does
    sagas: str  # the address of the list of those that have not ended; empty without any
    proof: str  # the address of what was proven of it

    @property
    def is_owed(self) -> bool:
        """Whether sagas that have not ended are of a version that no live node carries, as far as nodes say it."""
        return self.missing not in ("", _SILENT) and self.entry.open > 0


async def cluster(desk: PageDesk) -> Screen:
    """Raises StoreError."""
    async with desk.view() as store:
        view, entries = await store.cluster(), await versions(store, only_open=True)
    lines = versions_of(view, entries)
    owners = shards_of(view)
    values = {
        "sentence": sentence(view, lines),
        "nodes": [_node(*one) for one in nodes_of(view)[:ROWS_MAX]],
        "more_nodes": max(0, len(view.nodes) - ROWS_MAX),
        "owners": owners[:ROWS_MAX],
        "more_owners": max(0, len(owners) - ROWS_MAX),
        "versions": lines[:ROWS_MAX],
        "more_versions": max(0, len(lines) - ROWS_MAX),
    }
    return Screen("cluster", "Cluster", ("standing", "nodes", "shards", "versions"), values=values, is_for_all=True)


def sentence(view: ClusterView, lines: Sequence[VersionLine]) -> str:
    """How it stands, in one sentence; what is wrong is counted, and what is not is left out."""
    live = sum(node.lease_until_s > view.now_s for node in view.nodes)
    names = {node.name for node in view.nodes if node.lease_until_s > view.now_s}
    unowned = sum(row.owner not in names for row in view.shards)
    owed = [line for line in lines if line.is_owed]
    told = [f"{live} of {_many(len(view.nodes), 'node')} {'has' if live == 1 else 'have'} a lease"]
    if unowned:
        told.append(f"{_many(unowned, 'shard')} of {len(view.shards)} {_be(unowned)} owned by no live node")
    if owed:
        sagas = sum(line.entry.open for line in owed)
        told.append(
            f"{_many(len(owed), 'version')} with {_many(sagas, 'open saga')} {_be(len(owed))} carried by no live node"
        )
    return f"{'; '.join(told) if view.nodes else 'No node has joined'}."


def lease_told(node: NodeRow, left_s: float) -> tuple[str, str]:
    """What is left of a lease, as a share of it: in words that stay the same while the node renews it, and a tone."""
    if left_s <= 0:
        return "expired", "bad"
    if not node.lease_s:
        return "holds", "good"  # an older version does not say how long its leases are
    share = left_s / node.lease_s
    for part, said in ((0.5, "more than half"), (1 / 3, "more than a third")):
        if share > part:
            return f"holds, {said} of {node.lease_s:g} s left", "good"
    return f"holds, less than a third of {node.lease_s:g} s left", "warn"


def versions_of(view: ClusterView, entries: Sequence[VersionEntry]) -> list[VersionLine]:
    """Those that nobody carries first, and then those with sagas that have not ended."""
    lines = [_version(view, entry) for entry in entries]
    return sorted(lines, key=lambda line: (not line.is_owed, not line.entry.open))


def _version(view: ClusterView, entry: VersionEntry) -> VersionLine:
    carriers = carriers_of(view, entry.kind, entry.version)
    fields = {"kind": entry.kind, "status": ",".join(_OPEN)}
    missing = "" if carriers else _missing(view, entry)
    if missing and missing != _SILENT:
        fields["status"] = WAITS if hosts_of(view, entry.kind) else fields["status"]
    sagas = link("/sagas", fields) if entry.open else ""
    return VersionLine(entry, carriers, missing, sagas, proof_link(entry.version))


def _missing(view: ClusterView, entry: VersionEntry) -> str:
    hosts = hosts_of(view, entry.kind)
    if not hosts:
        return "no live node has this kind"
    silent = [one for one in view.nodes if one.name in hosts and not lacks_version(one, entry.kind, entry.version)]
    return _SILENT if silent else "no live node carries it"


def _node(node: NodeRow, left_s: float, shards: int) -> NodeLine:
    lease, tone = lease_told(node, left_s)
    return NodeLine(node, lease, tone, shards, tuple(one for one in node.carries if "/" in one.partition("<")[0]))


def _many(count: int, name: str) -> str:
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _be(count: int) -> str:
    return "is" if count == 1 else "are"
