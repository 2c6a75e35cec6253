"""Conformance: what nodes tell of handlers that run for long."""

from __future__ import annotations

import threading
from dataclasses import replace

from runtime.store.busy import BUSY_KEPT_S
from runtime.store.port import Store
from runtime.store.records import Busy, BusyHandler
from runtime.testing.conformance.case import ConformanceBase
from runtime.testing.conformance.samples import node_row

__all__ = ["BusyConformance"]


def busy(node: str, told_at_s: float, *keys: str, incarnation: str = "1", timeout_s: float = 0.0) -> Busy:
    handlers = (BusyHandler("Billing.bill", "billing", key, b"\0\xff", "X", "", 1.5, timeout_s) for key in keys)
    return Busy(node, incarnation, told_at_s, told_at_s + 3.0, tuple(handlers))


async def told(store: Store) -> list[Busy]:
    """What the store has once it has written all that it was told: it writes the subscriptions after that."""
    await store.subscribe([], kind="nobody")
    return await store.busy()


class BusyConformance(ConformanceBase):
    async def test_what_a_node_is_busy_with_is_what_it_told_last(self) -> None:
        async with self.stores(2) as (store, other):
            assert await other.busy() == []
            store.tell_busy(busy("one", 1.0, "a"))
            assert await told(store) == await other.busy() == [busy("one", 1.0, "a")]
            second = busy("one", 2.0, "a", "caf\u00e9 \U0001f375 %_'/@", timeout_s=9.5)
            store.tell_busy(second)
            assert await told(store) == await other.busy() == [second]
            store.tell_busy(busy("one", 3.0))
            assert await told(store) == await other.busy() == []

    async def test_what_a_node_has_paused_is_kept_as_well(self) -> None:
        async with self.stores(2) as (store, other):
            paused = replace(busy("one", 1.0), pauses=(("flights", 0.5, "caf\u00e9 closed", "book-trip, trip"),))
            store.tell_busy(paused)
            assert await told(store) == await other.busy() == [paused]
            store.tell_busy(busy("one", 2.0))
            assert await told(store) == []

    async def test_each_life_of_a_node_tells_for_itself(self) -> None:
        async with self.store() as store:
            rows = [busy("one", 1.0, "a"), busy("one", 1.0, "b", incarnation="2"), busy("two", 1.0, "c")]
            for row in reversed(rows):
                store.tell_busy(row)
                await told(store)
            assert await store.busy() == rows
            store.tell_busy(busy("one", 2.0))
            assert await told(store) == rows[1:]

    async def test_what_a_node_told_outlives_its_eviction_and_not_its_leaving(self) -> None:
        async with self.store() as store:
            await store.join(node_row("one"), lease_s=5.0)
            store.tell_busy(busy("one", 1.0, "a"))
            await self.let_pass(store, 5.1)
            assert await told(store)
            assert await store.evict("one", "1")
            assert await store.busy() == [busy("one", 1.0, "a")]
            await store.join(node_row("one"), lease_s=5.0)
            await store.leave("one", "2")
            assert await store.busy() == [busy("one", 1.0, "a")], "that was another"
            await store.leave("one", "1")
            assert await store.busy() == []
            store.tell_busy(busy("one", 1.0, "a"))
            assert await told(store) == [], "who has left tells nothing more"

    async def test_what_no_longer_counts_for_a_day_goes_when_another_tells(self) -> None:
        async with self.store() as store:
            store.tell_busy(busy("one", 1.0, "a"))
            await told(store)
            for at_s, kept in ((4.0 + BUSY_KEPT_S, 2), (4.1 + BUSY_KEPT_S, 1)):
                store.tell_busy(busy("two", at_s, "b"))
                assert len(await told(store)) == kept

    async def test_any_thread_may_tell(self) -> None:
        async with self.store() as store:
            thread = threading.Thread(target=store.tell_busy, args=(busy("one", 1.0, "a"),))  # replay: it is awaited
            thread.start()
            thread.join(30)  # The loop stands still meanwhile.
            assert await told(store) == [busy("one", 1.0, "a")]

    async def test_a_store_that_is_closed_is_told_nothing_and_says_so_to_nobody(self) -> None:
        async with self.store() as store:
            await store.close()
            store.tell_busy(busy("one", 1.0, "a"))
