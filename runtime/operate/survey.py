"""Nodes and sagas as an operator lists them: records made from the store's rows.

    Wanted ──▶ SummaryFilter ──Store.summaries, page by page──▶ SagaEntry

What a saga tells of itself stands in columns of its row. So a listing reads what it shows, and decodes no record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from runtime.envelope import address_of, parse_address
from runtime.errors import InvalidMessage
from runtime.operate.stored_kinds import stored_kind
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.deadline_summary import DEADLINE_STATUSES
from runtime.saga.summary import SUSPENDED
from runtime.store.port import OperatorStore
from runtime.store.records import ClusterView, NodeRow
from runtime.store.summaries import SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow

__all__ = [
    "STATUSES",
    "WAITS",
    "SagaEntry",
    "SagaPage",
    "Wanted",
    "carriers_of",
    "hosts_of",
    "lent_to",
    "nodes_of",
    "owner_of",
    "place_of",
    "place_text",
    "saga_counts",
    "sagas",
    "some_need_a_person",
    "waits_for_version",
]

WAITS = "waits for its version"
STATUSES = (
    *(word.lower() for word, status in SagaRecord.Status.items() if status != SagaRecord.NONE),
    SUSPENDED,
    WAITS,
)
_MOVING = ("running", "compensating")
_STUCK = "stuck"
_PAGE = 500


@dataclass(frozen=True, slots=True)
class SagaEntry:
    """One saga instance. Instants are seconds since 1970."""

    kind: str
    key: str
    status: str  # one of STATUSES, or "status N" of one that only a newer version knows
    step: str  # names of the open steps, with commas between them; empty at rest
    reason: str  # why it turned back, or got stuck
    version: str
    started_at_s: float
    last_progress_at_s: float
    owed_at_s: float = 0.0  # since when it has owed an undo without a break; 0: it owes none
    unknown_at_s: float = 0.0  # since when the outcome of a step of it has been unknown; 0: of none
    dead_letters: int = 0  # of its own mail: it does not go on without an operator, whatever its status says

    @property
    def needs_a_person(self) -> bool:
        return self.dead_letters > 0 or self.status in (_STUCK, WAITS)

    @property
    def place(self) -> SummaryPlace:
        return SummaryPlace(self.last_progress_at_s, self.kind, self.key)


@dataclass(frozen=True, slots=True)
class SagaPage:
    """Some of the instances that fit, and where the others begin."""

    entries: tuple[SagaEntry, ...]
    next: SummaryPlace | None  # None at the end


def place_text(place: SummaryPlace) -> str:
    """A place as an operator hands it over from page to page."""
    return f"{place.progressed_at_s!r}/{address_of(place.kind, place.key)}"


def place_of(text: str) -> SummaryPlace:
    """What `place_text` has made of a place. Raises InvalidMessage for any other text."""
    progress, _, address = text.partition("/")
    try:
        place = SummaryPlace(float(progress), *parse_address(address))
    except (ValueError, InvalidMessage):
        place = None
    if place is None or not math.isfinite(place.progressed_at_s):
        raise InvalidMessage(f"{text!r} is no place in a listing: copy it from the end of the page before")
    return place


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which instances are listed. What is empty, or zero, asks for nothing."""

    statuses: tuple[str, ...] = ()  # it has one of these
    kind: str = ""
    key: str = ""  # how the key begins
    step: str = ""  # the name of a step under way
    error: str = ""  # part of the reason, in any case of the letters from a to z
    idle_s: float = 0.0  # it has made no progress for at least so long
    age_s: float = 0.0  # it began at least so long ago
    has_dead_letters: bool = False
    owes: bool = False  # it owes an undo
    is_unknown: bool = False  # nobody knows the outcome of a step of it

    def filter_at(self, view: ClusterView) -> SummaryFilter:
        """What the store is asked for. Where WAITS is wanted, it gives more than those. Raises InvalidMessage."""
        if wrong := [status for status in self.statuses if status not in STATUSES]:
            raise InvalidMessage(f"no saga has the status {wrong[0]!r}; there are {', '.join(STATUSES)}")
        told = [status for status in self.statuses if status != WAITS]
        waiting = [status for status in _MOVING if WAITS in self.statuses and status not in told]
        return SummaryFilter(
            kind=self.kind,
            statuses=(*told, *waiting),
            not_statuses=DEADLINE_STATUSES,
            prefix=self.key,
            step=self.step,
            error=self.error,
            progressed_by_s=view.now_s - self.idle_s if self.idle_s else math.inf,
            started_by_s=view.now_s - self.age_s if self.age_s else math.inf,
            not_carried=_carried(view) if self.statuses == (WAITS,) else None,
            has_dead_letters=self.has_dead_letters,
            owes=self.owes,
            is_unknown=self.is_unknown,
        )


def nodes_of(view: ClusterView) -> tuple[tuple[NodeRow, float, int], ...]:
    """Each node, the seconds left of its lease (negative once it has expired), and how many shards it owns."""
    owned: dict[str, int] = {}
    for row in view.shards:
        owned[row.owner] = owned.get(row.owner, 0) + 1
    return tuple((node, node.lease_until_s - view.now_s, owned.get(node.name, 0)) for node in view.nodes)


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


async def sagas(
    store: OperatorStore,
    wanted: Wanted | None = None,
    *,
    limit: int,
    order: SummaryOrder = SummaryOrder.PROGRESS,
    after: SummaryPlace | None = None,
) -> SagaPage:
    """Instances of every saga kind, longest without progress first, from behind the place `after` on.

    Raises InvalidMessage for a status that no saga has, and StoreError.
    """
    wanted, found = wanted or Wanted(), list[SagaEntry]()
    wanted = replace(wanted, kind=await stored_kind(store, wanted.kind))
    view = await store.cluster()
    filter_, owners, size = wanted.filter_at(view), _Owners(view), limit + 1
    if filter_.not_carried == ():
        return SagaPage((), None)  # No live node says what it carries, so none is known to lack a version.
    while len(found) <= limit:
        rows = await store.summaries(filter_, limit=size, order=order, after=after)
        found += [one for one in map(owners.entry, rows) if not wanted.statuses or one.status in wanted.statuses]
        if len(rows) < size:
            break
        after, size = rows[-1].place, max(size, _PAGE)
    return SagaPage(tuple(found[:limit]), found[limit - 1].place if len(found) > limit else None)


async def some_need_a_person(store: OperatorStore, wanted: Wanted) -> bool:
    """Whether an instance that fits is stuck, waits for its version, or has dead letters. Raises as `sagas`."""
    at_rest = tuple(status for status in (_STUCK, WAITS) if status in (wanted.statuses or STATUSES))
    asked = [replace(wanted, statuses=(status,)) for status in at_rest] + [replace(wanted, has_dead_letters=True)]
    for one in asked:
        if (await sagas(store, one, limit=1)).entries:
            return True
    return False


async def saga_counts(
    store: OperatorStore, *, kind: str = "", statuses: Sequence[str] = ()
) -> list[tuple[str, str, int]]:
    """Kind, status, and how many tell so. Raises InvalidMessage for a status that none tells, and StoreError."""
    if wrong := [status for status in statuses if status not in STATUSES or status == WAITS]:
        raise InvalidMessage(f"no saga tells that it is {wrong[0]!r}; counted are {', '.join(STATUSES[:-1])}")
    counts, kind = await store.summary_counts(), await stored_kind(store, kind)
    counts = [one for one in counts if one[1] not in DEADLINE_STATUSES]
    return [one for one in counts if kind in ("", one[0]) and (not statuses or one[1] in statuses)]


class _Owners:
    """Who runs what, looked up for many instances."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._nodes = {node.name: node for node in view.nodes if node.lease_until_s > view.now_s}
        self._owners = {(row.kind, row.shard): row.owner for row in view.shards}

    def entry(self, row: SummaryRow) -> SagaEntry:
        told, waits = row.summary, ""
        if told.status in _MOVING:
            owner = self._nodes.get(self._owners.get((row.kind, row.shard), ""))
            waits = waits_for_version(self._view, owner, row.kind, told.version)
        return SagaEntry(
            kind=row.kind,
            key=row.key,
            status=WAITS if waits else told.status,
            step=told.step,
            reason=waits or told.error,
            version=told.version,
            started_at_s=told.started_at_s,
            last_progress_at_s=told.progressed_at_s,
            owed_at_s=told.owed_at_s or 0.0,
            unknown_at_s=told.unknown_at_s or 0.0,
            dead_letters=row.dead_letters,
        )


def _carried(view: ClusterView) -> tuple[str, ...]:
    """KIND/VERSION of all that live nodes carry."""
    live = [node for node in view.nodes if node.lease_until_s > view.now_s]
    return tuple(one for node in live for one in node.carries if one.partition("/")[0] in node.kinds)


def waits_for_version(view: ClusterView, owner: NodeRow | None, kind: str, version: str) -> str:
    """Why nobody can run an instance; empty when its owner can, or does not say what it carries, or can lend it."""
    if owner is None or not lacks_version(owner, kind, version) or carriers_of(view, kind, version):
        return ""
    return f"version {version} of {kind} began it, which its node {owner.name} lacks; no live node has it"


def lent_to(view: ClusterView, owner: NodeRow | None, kind: str, version: str) -> tuple[str, ...]:
    """The nodes that may run an instance for its owner, which lacks its version; none when the owner can."""
    is_lent = owner is not None and lacks_version(owner, kind, version)
    return carriers_of(view, kind, version) if is_lent else ()


def lacks_version(owner: NodeRow, kind: str, version: str) -> bool:
    """Whether a node says what it carries of a saga kind, and this version is not among it."""
    carried = [one for one in owner.carries if one.startswith(f"{kind}/")]
    return bool(carried) and f"{kind}/{version}" not in carried


def carriers_of(view: ClusterView, kind: str, version: str) -> tuple[str, ...]:
    """The nodes with a lease that have a version of a saga kind."""
    hosts = hosts_of(view, kind)
    return tuple(node.name for node in view.nodes if node.name in hosts and f"{kind}/{version}" in node.carries)
