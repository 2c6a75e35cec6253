"""Nodes, shards and sagas as an operator lists them: records made from the store's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from google.protobuf.message import DecodeError

from runtime.operate.dead_letters import dead_letters
from runtime.protos import saga_pb2
from runtime.saga.view import OPEN, OWING, phase_of, status_name
from runtime.store.port import Store
from runtime.store.records import ActorRow, ClusterView, NodeRow

__all__ = [
    "WAITS",
    "SagaEntry",
    "ShardEntry",
    "Wanted",
    "carriers_of",
    "hosts_of",
    "lent_to",
    "nodes_of",
    "owner_of",
    "sagas",
    "shards_of",
    "waits_for_version",
]

_SAGA_TYPE = saga_pb2.SagaRecord.DESCRIPTOR.full_name
_PAGE = 500
WAITS = "waits for its version"
_MOVING = ("running", "compensating")
_LETTERS_MAX = 100_000  # so many are read; the dead letters of an instance beyond them are not counted


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """The shards of one kind that one node owns. Those that nobody owns have an empty owner."""

    kind: str
    owner: str
    shards: tuple[int, ...]
    alive: bool  # whether the owner has a lease


@dataclass(frozen=True, slots=True)
class SagaEntry:
    """One saga instance. Instants are seconds since 1970."""

    kind: str
    key: str
    definition: str
    status: str  # as in SagaRecord.Status, in lower case; or WAITS: whoever runs it lacks the version that began it
    step: str  # names of the open steps, with commas between them; empty at rest
    reason: str  # why it turned back, or got stuck
    started_at_s: float
    last_progress_at_s: float
    dead_letters: int = 0  # of its own mail: it does not go on without an operator, whatever its status says

    @property
    def needs_a_person(self) -> bool:
        return self.dead_letters > 0 or self.status in ("stuck", "unreadable", WAITS)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which instances are listed. What is empty, or zero, asks for nothing."""

    status: str = ""
    kind: str = ""
    key: str = ""  # how the key begins
    idle_s: float = 0.0  # it has made no progress for at least so long
    age_s: float = 0.0  # it began at least so long ago
    statuses: tuple[str, ...] = ()  # it has one of these; empty: any

    def fits(self, entry: SagaEntry, now_s: float) -> bool:
        return (
            self.status in ("", entry.status)
            and (not self.statuses or entry.status in self.statuses)
            and entry.key.startswith(self.key)
            and entry.started_at_s <= now_s - self.age_s
            and entry.last_progress_at_s <= now_s - self.idle_s
        )


def nodes_of(view: ClusterView) -> tuple[tuple[NodeRow, float, int], ...]:
    """Each node, the seconds left of its lease (negative once it has expired), and how many shards it owns."""
    owned: dict[str, int] = {}
    for row in view.shards:
        owned[row.owner] = owned.get(row.owner, 0) + 1
    return tuple((node, node.lease_until_s - view.now_s, owned.get(node.name, 0)) for node in view.nodes)


def shards_of(view: ClusterView) -> tuple[ShardEntry, ...]:
    """Who owns what, by kind and owner."""
    alive = _alive(view)
    groups: dict[tuple[str, str], list[int]] = {}
    for row in view.shards:
        groups.setdefault((row.kind, row.owner), []).append(row.shard)
    return tuple(
        ShardEntry(kind, owner, tuple(sorted(shards)), owner in alive)
        for (kind, owner), shards in sorted(groups.items())
    )


def owner_of(view: ClusterView, kind: str, shard: int) -> tuple[str, bool]:
    """The owner of a shard (empty if nobody's), and whether it has a lease."""
    for row in view.shards:
        if (row.kind, row.shard) == (kind, shard):
            return row.owner, row.owner in _alive(view)
    return "", False


def hosts_of(view: ClusterView, kind: str) -> tuple[str, ...]:
    """The nodes with a lease that host a kind."""
    return tuple(node.name for node in view.nodes if kind in node.kinds and node.lease_until_s > view.now_s)


def _alive(view: ClusterView) -> frozenset[str]:
    return frozenset(node.name for node in view.nodes if node.lease_until_s > view.now_s)


async def sagas(store: Store, wanted: Wanted | None = None, *, limit: int | None = None) -> list[SagaEntry]:
    """Instances of every saga kind, longest without progress first; up to `limit`, if any. Raises StoreError.

    Reads all of them: a listing for people, not for a loop.
    """
    wanted, found = wanted or Wanted(), []
    view = await store.cluster()
    owners = _Owners(view)
    parked = Counter(letter.row.address for letter in await dead_letters(store, limit=_LETTERS_MAX))
    for kind in sorted(view.kinds) if not wanted.kind else (wanted.kind,):
        async for row in _saga_rows(store, kind):
            entry = replace(_entry(row, owners), dead_letters=parked[row.kind, row.key])
            if wanted.fits(entry, view.now_s):
                found.append(entry)
    return sorted(found, key=lambda entry: (entry.last_progress_at_s, entry.kind, entry.key))[:limit]


async def _saga_rows(store: Store, kind: str) -> AsyncIterator[ActorRow]:
    after = ""
    while True:
        rows = await store.actors(kind, limit=_PAGE, after=after)
        for row in rows:
            if row.state_type != _SAGA_TYPE:
                return  # a kind has one type of state: this one is no saga
            yield row
        if len(rows) < _PAGE:
            return
        after = rows[-1].key


class _Owners:
    """Who runs what, looked up for many instances."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._nodes = {node.name: node for node in view.nodes if node.lease_until_s > view.now_s}
        self._owners = {(row.kind, row.shard): row.owner for row in view.shards}

    def waits(self, row: ActorRow, version: str) -> str:
        """Why an instance waits for its version; empty when it does not, or its node does not say what it carries."""
        return waits_for_version(self._view, self._nodes.get(self._owners.get((row.kind, row.shard), "")), row, version)


def waits_for_version(view: ClusterView, owner: NodeRow | None, row: ActorRow, version: str) -> str:
    """Why nobody can run an instance; empty when its owner can, or does not say what it carries, or can lend it."""
    if owner is None or not lacks_version(owner, row.kind, version) or carriers_of(view, row.kind, version):
        return ""
    return f"version {version} of {row.kind} began it, which its node {owner.name} lacks; no live node has it"


def lent_to(view: ClusterView, owner: NodeRow | None, row: ActorRow, version: str) -> tuple[str, ...]:
    """The nodes that may run an instance for its owner, which lacks its version; none when the owner can."""
    is_lent = owner is not None and lacks_version(owner, row.kind, version)
    return carriers_of(view, row.kind, version) if is_lent else ()


def lacks_version(owner: NodeRow, kind: str, version: str) -> bool:
    """Whether a node says what it carries of a saga kind, and this version is not among it."""
    carried = [one for one in owner.carries if one.startswith(f"{kind}/")]
    return bool(carried) and f"{kind}/{version}" not in carried


def carriers_of(view: ClusterView, kind: str, version: str) -> tuple[str, ...]:
    """The nodes with a lease that have a version of a saga kind."""
    hosts = hosts_of(view, kind)
    return tuple(node.name for node in view.nodes if node.name in hosts and f"{kind}/{version}" in node.carries)


def _entry(row: ActorRow, owners: _Owners) -> SagaEntry:
    try:
        record = saga_pb2.SagaRecord.FromString(row.state)
    except DecodeError as error:
        return SagaEntry(row.kind, row.key, "", "unreadable", "", str(error), row.updated_at_s, row.updated_at_s)
    status = status_name(record)
    waits = owners.waits(row, record.fingerprint.hex()) if status in _MOVING else ""
    return SagaEntry(
        kind=row.kind,
        key=row.key,
        definition=record.definition,
        status=WAITS if waits else status,
        step=", ".join(task.path for task in record.tasks if phase_of(task) in OPEN | OWING),
        reason=waits or record.stuck_reason or record.reason,
        started_at_s=record.started_at_s,
        last_progress_at_s=record.last_progress_at_s or row.updated_at_s,
    )
