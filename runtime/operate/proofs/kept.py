"""Puts proofs into a store, and reads them from it, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from runtime.errors import InvalidMessage
from runtime.operate.definitions import versions
from runtime.operate.proofs.proof import Proof
from runtime.operate.proofs.proof_file import proof_of, row_of
from runtime.store.port import OperatorStore
from runtime.store.proofs import ProofPlace, ProofRow

__all__ = ["AddedProofs", "KeptProof", "add_proofs", "known_versions", "proofs_after"]

_AHEAD_S = 86_400.0
_PAGE = 500


@dataclass(frozen=True, slots=True)
class KeptProof:
    """A proof as a store has it. `proof` is None for one that a newer version of Amends has added."""

    row: ProofRow
    proof: Proof | None
    unreadable: str = ""  # why there is none

    @property
    def place(self) -> ProofPlace:
        return ProofPlace.of(self.row)


@dataclass(frozen=True, slots=True)
class AddedProofs:
    """What came of adding proofs to a store, by number."""

    added: int
    there_before: int
    too_old: int  # newer ones of their version are kept in their place
    unknown: tuple[str, ...]  # KIND/VERSION of those that the store has never heard of; they are kept all the same


async def add_proofs(store: OperatorStore, proofs: Sequence[Proof]) -> AddedProofs:
    """Raises InvalidMessage for a proof of the future, and StoreError; then none is added."""
    now_s = await store.now_s()
    for one in proofs:
        if one.made_at_s > now_s + _AHEAD_S:
            raise InvalidMessage(
                f"a proof of {one.kind} is said to be made more than a day after now; set the clock of the machine "
                "that made it, and have the run write it again"
            )
    rows = {ProofPlace.of(row): row for row in map(row_of, proofs)}
    before = await _there(store, rows.values())
    await store.keep_proofs([*rows.values()])
    after = await _there(store, rows.values())
    known = await known_versions(store)
    unknown = dict.fromkeys(f"{one.kind}/{one.version}" for one in proofs if one.version not in known)
    there_before = len(before & rows.keys())
    added = len((after - before) & rows.keys())
    return AddedProofs(added, there_before, len(rows) - added - there_before, tuple(unknown))


async def known_versions(store: OperatorStore) -> frozenset[str]:
    """Versions whose definition the store has, or that sagas in it still run by. Raises StoreError."""
    return frozenset(one.version for one in await versions(store, only_open=True))


async def proofs_after(
    store: OperatorStore, after: ProofPlace | None = None, *, limit: int, version: str = ""
) -> list[KeptProof]:
    """By kind and version, the latest last, from behind a place on. Raises StoreError."""
    return [_read(row) for row in await store.proofs(limit=limit, after=after, version=version)]


def _read(row: ProofRow) -> KeptProof:
    try:
        return KeptProof(row, proof_of(row))
    except InvalidMessage as error:
        return KeptProof(row, None, str(error))


async def _there(store: OperatorStore, rows: Iterable[ProofRow]) -> frozenset[ProofPlace]:
    """The places of all proofs of these versions that the store has."""
    found = set[ProofPlace]()
    for version in dict.fromkeys(row.version for row in rows):
        found.update([ProofPlace.of(row) async for row in _all_of(store, version)])
    return frozenset(found)


async def _all_of(store: OperatorStore, version: str) -> AsyncIterator[ProofRow]:
    after: ProofPlace | None = None
    while page := await store.proofs(limit=_PAGE, after=after, version=version):
        for row in page:
            yield row
        after = ProofPlace.of(page[-1])
