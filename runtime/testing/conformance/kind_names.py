"""Conformance: what each name of a kind stands for, which stays so for the life of a store."""

from __future__ import annotations

from runtime.testing.conformance.case import ConformanceBase

__all__ = ["KindNameConformance"]


class KindNameConformance(ConformanceBase):
    async def test_names_of_kinds_are_kept_for_every_node(self) -> None:
        async with self.stores(2) as (store, other):
            assert await other.keep_kind_names({}) == {}
            kept = {"billing": "billing", "invoicing": "billing"}
            assert await store.keep_kind_names(kept) == kept
            assert await other.keep_kind_names({"größe": "größe"}) == {**kept, "größe": "größe"}
            assert await store.keep_kind_names({}) == {**kept, "größe": "größe"}

    async def test_names_that_are_kept_already_may_be_told_again(self) -> None:
        async with self.store() as store:
            await store.keep_kind_names({"billing": "billing"})
            again = {"billing": "billing", "invoicing": "billing"}
            assert await store.keep_kind_names(again) == await store.keep_kind_names(again) == again

    async def test_a_name_stays_what_it_was_first_and_nothing_is_kept_beside_a_contradiction(self) -> None:
        async with self.stores(2) as (store, other):
            kept = {"billing": "billing", "invoicing": "billing"}
            await store.keep_kind_names(kept)
            assert await other.keep_kind_names({"accounts": "invoicing", "invoicing": "invoicing"}) == kept
            assert await store.keep_kind_names({}) == kept

    async def test_of_two_nodes_that_disagree_the_later_one_is_told_so(self) -> None:
        async with self.stores(2) as (store, other):
            mine, theirs = {"invoicing": "billing", "a": "a"}, {"invoicing": "invoicing", "b": "b"}
            assert await store.keep_kind_names({}) == await other.keep_kind_names({}) == {}
            assert await store.keep_kind_names(mine) == mine
            assert await other.keep_kind_names(theirs) == mine
