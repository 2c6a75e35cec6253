"""Conformance: what was proven of the versions of sagas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from runtime.store.proofs import PROOFS_KEPT_MAX, ProofPlace, ProofRow
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import id_of

__all__ = ["ProofConformance"]


class ProofConformance(ConformanceBase):
    async def test_a_store_without_proofs_has_none(self) -> None:
        async with self.store() as store:
            await store.keep_proofs([])
            assert await store.proofs(limit=9) == []

    async def test_a_proof_is_kept_as_it_was_given_and_once(self) -> None:
        async with self.stores(2) as (store, other):
            row = _row(1, kind="tr\0ip\N{EXTRATERRESTRIAL ALIEN}", body=b"\x00\xff")
            await store.keep_proofs([row, row])
            await other.keep_proofs([row, replace(row, body=b"later")])
            assert await other.proofs(limit=9) == [row]

    async def test_proofs_are_listed_page_by_page_those_of_one_version_together(self) -> None:
        async with self.store() as store:
            rows = [
                _row(3, kind="Z", version="ff", made_at_s=9.0),
                _row(1, kind="a", version="aa", made_at_s=1.0),
                _row(4, kind="a", version="aa", made_at_s=2.5, result="broken"),
                _row(5, kind="a", version="aa", made_at_s=2.5),
                _row(2, kind="a", version="ab", made_at_s=0.0),
                _row(6, kind="é", version="aa", made_at_s=2.0),
            ]
            await store.keep_proofs([*reversed(rows)])
            for size in (1, 2, 4):
                found, after = list[ProofRow](), None
                while page := await store.proofs(limit=size, after=after):
                    found, after = [*found, *page], ProofPlace.of(page[-1])
                assert found == rows
            assert await store.proofs(limit=9, version="aa") == [*rows[1:4], rows[5]]
            assert await store.proofs(limit=2, version="aa", after=ProofPlace.of(rows[2])) == [rows[3], rows[5]]
            assert await store.proofs(limit=9, version="a") == []

    async def test_of_each_version_the_newest_clean_ones_and_the_newest_broken_ones_are_kept(self) -> None:
        async with self.store() as store:
            many = PROOFS_KEPT_MAX + 3
            clean = [_row(number, made_at_s=float(number)) for number in range(1, many + 1)]
            broken = [replace(one, result="broken", id=id_of(900)) for one in clean[:2]]
            others = [_row(1, version="ab"), _row(1, kind="sales")]
            await store.keep_proofs([*others, *clean[5:], *broken[:1]])
            await store.keep_proofs([*clean[:5], *broken[1:]])
            kept = sorted([*clean[3:], broken[0], broken[1], *others], key=ProofPlace.of)
            assert await store.proofs(limit=999) == kept


def _row(number: int, *, kind: str = "trip", version: str = "aa", **given: Any) -> ProofRow:
    """A proof. `given` are other fields of the row."""
    fields: dict[str, Any] = {"made_at_s": 100.0, "result": "clean", "body": b"proof %d" % number, **given}
    return ProofRow(kind=kind, version=version, id=id_of(number), **fields)
