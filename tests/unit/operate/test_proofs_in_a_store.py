"""Proofs are added to a store once, also those of versions that it has never heard of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runtime.errors import InvalidMessage
from runtime.operate.proofs import by_version
from runtime.operate.proofs.by_version import proofs_by_version
from runtime.operate.proofs.kept import AddedProofs, add_proofs, known_versions, proofs_after
from runtime.operate.proofs.proof_file import row_of
from runtime.store.definitions import DefinitionRow
from runtime.store.memory import MemoryStore
from runtime.store.proofs import PROOFS_KEPT_MAX
from tests.unit.operate.proofs import VERSION, broken, proof, simulated
from tests.unit.operate.rows import SAGA, fill, saga

OTHER = "ab" * 16


async def test_a_proof_is_added_once_and_listed_with_the_latest_last(store: MemoryStore) -> None:
    await store.keep_definitions([DefinitionRow("book-trip", VERSION, 5.0, b"")])
    both = [proof(), broken(simulated(), made_at_s=99.0)]
    assert await add_proofs(store, [*both, both[0]]) == AddedProofs(2, 0, 0, ())
    assert await add_proofs(store, [both[1], proof(made_at_s=101.0)]) == AddedProofs(1, 1, 0, ())
    listed = await proofs_after(store, limit=9)
    assert [one.proof for one in listed] == [both[1], both[0], proof(made_at_s=101.0)]
    assert [one.proof for one in await proofs_after(store, listed[0].place, limit=1)] == [both[0]]


async def test_a_version_that_the_store_has_never_heard_of_is_kept_and_named(store: MemoryStore) -> None:
    found = await add_proofs(store, [proof(), proof(version=OTHER)])
    assert found.unknown == (f"book-trip/{VERSION}", f"book-trip/{OTHER}")
    await fill(store, saga(version=bytes.fromhex(OTHER)))
    assert await known_versions(store) == {OTHER}, "a saga that runs by it is enough"
    assert len(await proofs_after(store, limit=9)) == 2


async def test_older_ones_than_those_that_are_kept_are_said_to_be_dropped(store: MemoryStore) -> None:
    await add_proofs(store, [proof(made_at_s=100.0 + number) for number in range(PROOFS_KEPT_MAX)])
    found = await add_proofs(store, [proof(made_at_s=1.0), broken(made_at_s=2.0), proof(made_at_s=200.0)])
    assert (found.added, found.too_old) == (2, 1)


async def test_a_proof_of_the_future_is_refused_since_nothing_newer_would_ever_count(store: MemoryStore) -> None:
    ahead = await store.now_s() + 100_000.0
    with pytest.raises(InvalidMessage, match="more than a day after now; set the clock of the machine"):
        await add_proofs(store, [proof(), proof(made_at_s=ahead)])
    assert await proofs_after(store, limit=9) == []


async def test_what_a_newer_version_has_added_is_listed_without_being_read(store: MemoryStore) -> None:
    row = row_of(proof())
    await store.keep_proofs([replace(row, body=b'{"method": "oracle"}'), replace(row, id=b"?" * 16, body=b"\xff")])
    found = await proofs_after(store, limit=9)
    assert [one.proof for one in found] == [None, None]
    assert all(one.unreadable for one in found)


async def test_ended_sagas_alone_make_no_version_known(store: MemoryStore) -> None:
    await fill(store, saga(version=bytes.fromhex(OTHER), status=SAGA.COMPLETED))
    assert await known_versions(store) == frozenset()


async def test_of_very_many_proofs_the_first_are_read_and_the_listing_says_so(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_version, "_PAGE", 2)
    for most, is_all, read in ((4, True, 4), (3, False, 4)):
        monkeypatch.setattr(by_version, "READ_MAX", most)
        await add_proofs(store, [proof(version=f"{number:032x}") for number in range(4)])
        found = await proofs_by_version(store)
        assert (found.is_all, len(found.versions)) == (is_all, read)
