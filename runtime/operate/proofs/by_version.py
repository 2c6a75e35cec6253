"""All versions of sagas with what was proven of them: those that a store knows, and those that proofs are of alone.

versions of the store ─┬──▶ VersionProofs, of which each has its standing
proofs of the store ───┘
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runtime.operate.definitions import VersionEntry, versions
from runtime.operate.proofs.kept import KeptProof, proofs_after
from runtime.operate.proofs.standing import ProofStanding, Proven, standing_of
from runtime.store.port import OperatorStore

__all__ = ["READ_MAX", "ProofsByVersion", "VersionProofs", "proofs_by_version"]

READ_MAX = 2_000
"""So many proofs are read for one listing, and at least all of 50 versions."""

_PAGE = 100  # They are read on an event loop, which is not to stand still for all of them.
_ORDER = (Proven.BROKEN, Proven.NOT_PROVEN, Proven.PASSED)


@dataclass(frozen=True, slots=True)
class VersionProofs:
    """One version. `entry` is None for one that this store has never heard of."""

    kind: str
    version: str
    entry: VersionEntry | None
    kept: tuple[KeptProof, ...]  # the newest first
    standing: ProofStanding

    @property
    def open(self) -> int:
        """Sagas that run by it and have not ended."""
        return 0 if self.entry is None else self.entry.open

    @property
    def place(self) -> tuple[float | str, ...]:
        """Where it stands in the listing."""
        return self.entry is None, _ORDER.index(self.standing.standing), not self.open, self.kind, self.version


@dataclass(frozen=True, slots=True)
class ProofsByVersion:
    versions: tuple[VersionProofs, ...]
    is_all: bool  # of more than `READ_MAX` proofs the last by kind and version are left out


async def proofs_by_version(store: OperatorStore, *, version: str = "") -> ProofsByVersion:
    """Broken ones first, then those that are not proven and have open sagas; or one version alone.

    Raises StoreError.
    """
    known = await versions(store, only_open=True)
    entries = [one for one in known if one.version and version in ("", one.version)]
    proofs = list[KeptProof]()
    while len(proofs) <= READ_MAX:
        page = await proofs_after(store, proofs[-1].place if proofs else None, limit=_PAGE, version=version)
        proofs += page
        if len(page) < _PAGE:
            return ProofsByVersion(tuple(_sorted(_joined(entries, proofs))), is_all=True)
    return ProofsByVersion(tuple(_sorted(_joined(entries, proofs))), is_all=False)


def _joined(entries: Sequence[VersionEntry], proofs: Iterable[KeptProof]) -> Iterable[VersionProofs]:
    by_version: dict[str, list[KeptProof]] = {}
    for one in proofs:
        by_version.setdefault(one.row.version, []).append(one)
    for entry in entries:  # A kind may have another name in the store than in its code. The version tells.
        yield _version(entry.kind, entry.version, entry, by_version.get(entry.version, ()))
    for version in sorted(by_version.keys() - {entry.version for entry in entries}):
        kept = by_version[version]
        yield _version(kept[0].row.kind, version, None, kept)


def _version(kind: str, version: str, entry: VersionEntry | None, kept: Sequence[KeptProof]) -> VersionProofs:
    newest = tuple(sorted(kept, key=lambda one: one.row.made_at_s, reverse=True))
    return VersionProofs(kind, version, entry, newest, standing_of(one.proof for one in kept if one.proof is not None))


def _sorted(found: Iterable[VersionProofs]) -> list[VersionProofs]:
    return sorted(found, key=lambda one: one.place)
