"""Conformance: definitions by version, and how many actors each of them began."""

from __future__ import annotations

from dataclasses import replace

from runtime.store.definitions import DefinitionRow
from runtime.store.records import Transition
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import EMPTY, actor_row, told

__all__ = ["DefinitionConformance"]


class DefinitionConformance(ConformanceBase):
    async def test_a_definition_is_kept_as_it_was_told_first(self) -> None:
        async with self.stores(2) as (store, other):
            rows = [
                DefinitionRow("trip", "ab", 20.0, b"first"),
                DefinitionRow("trip", "00", 30.0, b""),
                DefinitionRow("billing", "ab", 40.0, b"\x00\xff"),
            ]
            await store.keep_definitions(rows)
            await other.keep_definitions([replace(rows[0], kept_at_s=10.0, body=b"later")])
            assert await other.definitions() == [rows[2], rows[0], rows[1]]

    async def test_no_definitions_are_none(self) -> None:
        async with self.store() as store:
            await store.keep_definitions([])
            assert await store.definitions() == []

    async def test_actors_are_counted_by_their_version(self) -> None:
        async with self.store() as store:
            begun = [("a", "v1", "running"), ("b", "v2", "running"), ("c", "v1", "stuck"), ("d", "v1", "running")]
            rows = [actor_row(key, summary=told(status, version=version)) for key, version, status in begun]
            rows += [actor_row("e", kind="trip", summary=told("completed", version="v1")), actor_row("silent")]
            await self.commit(store, *(Transition(actor=row, expected=EMPTY) for row in rows))
            billing = [("billing", "v1", "running", 2), ("billing", "v1", "stuck", 1), ("billing", "v2", "running", 1)]
            assert await store.version_counts() == [*billing, ("trip", "v1", "completed", 1)]
            assert await store.version_counts(("stuck", "completed")) == [billing[1], ("trip", "v1", "completed", 1)]
