"""Versions of sagas as an operator sees them: what the store keeps of each, and which of them a build cannot carry.

    Store.definitions, Store.version_counts ──▶ VersionEntry ──compared with a catalogue──▶ UncarriedVersion

All is read from rows of their own and from indexed columns: no record of an instance is decoded.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from runtime.errors import InvalidMessage
from runtime.operate.dead_letters import NotFound
from runtime.operate.stored_kinds import stored_kind
from runtime.protos.definition_pb2 import SagaDefinition
from runtime.saga.comparison import differences
from runtime.saga.deadline_summary import DEADLINE_STATUSES
from runtime.saga.definition import Definition
from runtime.saga.shape import shape_of
from runtime.saga.stored import parse_definition
from runtime.store.port import OperatorStore

__all__ = ["UncarriedVersion", "VersionEntry", "stored_definition", "uncarried", "versions"]

_ENDED = ("completed", "compensated", "abandoned")
_OPEN = ("running", "compensating", "stuck", "suspended")


@dataclass(frozen=True, slots=True)
class VersionEntry:
    """One version of a saga that instances were begun with, or that a node has told."""

    kind: str
    version: str
    kept_at_s: float  # when a node first told its definition; 0 if none has
    open: int  # instances that have not ended
    ended: int


@dataclass(frozen=True, slots=True)
class UncarriedVersion:
    """Instances that have not ended, and that a build cannot carry on."""

    kind: str
    version: str
    count: int
    reasons: tuple[str, ...]


async def versions(store: OperatorStore, *, kind: str = "", only_open: bool = False) -> list[VersionEntry]:
    """By kind, the latest last. Raises StoreError.

    With `only_open` it does not count what has ended, which may be very many rows; `ended` is 0 then.
    """
    kind = await stored_kind(store, kind)
    counts: dict[tuple[str, str], list[int]] = {}
    for one, version, status, count in await store.version_counts(_OPEN if only_open else ()):
        if status not in DEADLINE_STATUSES:
            counts.setdefault((one, version), [0, 0])[status in _ENDED] += count
    kept = {(row.kind, row.version): row.kept_at_s for row in await store.definitions()}
    found = [
        VersionEntry(*one, kept.get(one, 0.0), *counts.get(one, (0, 0)))
        for one in {**counts, **kept}
        if kind in ("", one[0])
    ]
    return sorted(found, key=lambda entry: (entry.kind, entry.kept_at_s, entry.version))


async def stored_definition(store: OperatorStore, version: str) -> SagaDefinition:
    """The one whose version begins so. Raises NotFound, InvalidMessage when several do, and StoreError."""
    found = {row.version: row for row in await store.definitions() if version and row.version.startswith(version)}
    if not found:
        raise NotFound(f"the store keeps no definition of a version that begins with {version!r}")
    if len(found) > 1:
        raise InvalidMessage(f"{version!r} begins several versions: {', '.join(sorted(found))}; give more of it")
    [row] = found.values()
    return parse_definition(row.body)


async def uncarried(
    store: OperatorStore, carried: Collection[str], definitions: Mapping[str, Definition]
) -> list[UncarriedVersion]:
    """What has not ended and is not among `carried`, which has KIND/VERSION of all that a build has.

    `definitions` has those of the build, by kind: the reasons say how they differ. Raises StoreError.
    """
    counts: dict[tuple[str, str], int] = {}
    for kind, version, _, count in await store.version_counts(_OPEN):
        if f"{kind}/{version}" not in carried:
            counts[kind, version] = counts.get((kind, version), 0) + count
    if not counts:
        return []
    kept = {(row.kind, row.version): row.body for row in await store.definitions()}
    return [
        UncarriedVersion(*one, count, _reasons(kept.get(one), definitions.get(one[0])))
        for one, count in sorted(counts.items())
    ]


def _reasons(kept: bytes | None, now: Definition | None) -> tuple[str, ...]:
    if now is None:
        return ("this build has no saga of the kind",)
    if kept is None:
        return ("the store does not keep the definition, so nothing can be said of what differs",)
    try:
        old = parse_definition(kept)
    except InvalidMessage as error:
        return (str(error),)
    return differences(old.shape, shape_of(now.name, now.state_type, now.nodes))
