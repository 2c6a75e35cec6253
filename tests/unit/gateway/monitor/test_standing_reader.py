"""The store is read for metrics when somebody asks, not more often, and nobody waits for it for long."""

from __future__ import annotations

import asyncio

from runtime.adapters import AsyncioTasks
from runtime.errors import StoreUnavailable
from runtime.gateway.monitor.standing_reader import StandingReader
from runtime.gateway.monitor.store_metrics import StoreMetrics
from runtime.operate.standing import StoreStanding
from runtime.store.tallies import Tally
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import in_virtual_time


class WatchedSource:
    """A store that is slow, cut off or empty as a test wants it."""

    def __init__(self) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.reads = 0
        self.takes_s = 0.0
        self.is_cut = False
        self.standing: StoreStanding | None = StoreStanding(1_000.0, ("trip",), owed=(Tally("trip", 2, 400.0),))
        self.watch = StandingReader(self.read, self.clock, AsyncioTasks())

    async def read(self) -> StoreStanding | None:
        self.reads += 1
        await self.clock.sleep(self.takes_s)
        if self.is_cut:
            raise StoreUnavailable("cut off")
        return self.standing

    def told(self) -> dict[str, float]:
        """All samples, by their names and the values of their labels."""
        samples = [sample for family in StoreMetrics(self.watch).collect() for sample in family.samples]
        return {".".join((one.name, *one.labels.values())): one.value for one in samples}


def test_whoever_asks_soon_after_gets_what_was_read_and_ages_go_on() -> None:
    async def scenario() -> None:
        source = WatchedSource()
        await source.watch.look()
        assert source.told()["amends_undo_owed_oldest_seconds.trip"] == 600.0
        await source.clock.sleep(14.0)
        await source.watch.look()
        told = source.told()
        assert (source.reads, told["amends_undos_owed.trip"]) == (1, 2)
        assert told["amends_undo_owed_oldest_seconds.trip"] == 614.0
        assert told["amends_store_read_age_seconds"] == 14.0
        await source.clock.sleep(1.0)
        await source.watch.look()
        assert (source.reads, source.told()["amends_store_read_seconds_count"]) == (2, 2)

    in_virtual_time(scenario)


def test_all_who_ask_at_once_share_one_reading() -> None:
    async def scenario() -> None:
        source = WatchedSource()
        source.takes_s = 1.0
        await asyncio.gather(*(source.watch.look() for _ in range(5)))
        assert source.reads == 1 and source.watch.latest is source.standing
        assert source.told()["amends_store_read_seconds_sum"] == 1.0

    in_virtual_time(scenario)


def test_nobody_waits_long_for_a_slow_store_and_its_answer_comes_to_the_next() -> None:
    async def scenario() -> None:
        source = WatchedSource()
        source.takes_s = 30.0
        began_s = source.clock.monotonic_s()
        await source.watch.look()
        assert source.clock.monotonic_s() - began_s == 3.0
        assert "amends_undos_owed.trip" not in source.told()
        await source.clock.sleep(20.0)
        await source.watch.look()
        assert source.reads == 1, "a second reading began beside the first"
        await source.clock.sleep(10.0)
        assert source.told()["amends_undos_owed.trip"] == 2

    in_virtual_time(scenario)


def test_a_reading_that_fails_is_counted_and_leaves_no_old_number() -> None:
    async def scenario() -> None:
        source = WatchedSource()
        await source.watch.look()
        source.is_cut = True
        await source.clock.sleep(15.0)
        await source.watch.look()
        told = source.told()
        assert told["amends_store_reads_failed_total"] == 1
        assert [name for name in told if name.startswith(("amends_undos", "amends_store_read_age"))] == []
        source.is_cut = False
        await source.clock.sleep(15.0)
        await source.watch.look()
        assert source.told()["amends_undos_owed.trip"] == 2

    in_virtual_time(scenario)


def test_a_node_without_a_store_yet_is_asked_again_at_once() -> None:
    async def scenario() -> None:
        source = WatchedSource()
        source.standing = None
        await source.watch.look()
        assert source.told()["amends_store_read_seconds_count"] == 0
        source.standing = StoreStanding(1_000.0)
        await source.watch.look()
        assert source.told()["amends_store_read_seconds_count"] == 1

    in_virtual_time(scenario)


def test_what_was_seen_once_is_told_as_nothing_from_then_on() -> None:
    async def scenario() -> None:
        source = WatchedSource()
        metrics = StoreMetrics(source.watch)
        source.standing = StoreStanding(
            1_000.0,
            ("trip",),
            (("stuck", Tally("trip", 2, 900.0)),),
            mail=(Tally("bank", 1, 1_060.0),),
            letters=(Tally("bank", 3, 990.0),),
        )
        await source.watch.look()
        told = source.told()
        assert (told["amends_sagas.trip.stuck"], told["amends_sagas.trip.running"]) == (2, 0)
        assert told["amends_saga_oldest_progress_seconds.trip.stuck"] == 100.0
        assert (told["amends_undos_owed.trip"], told["amends_undo_owed_oldest_seconds.trip"]) == (0, 0)
        assert (told["amends_mail.bank"], told["amends_mail_oldest_seconds.bank"]) == (1, 0.0), "it is due later"
        assert (told["amends_dead_letters.bank"], told["amends_dead_letter_oldest_seconds.bank"]) == (3, 10.0)
        [*metrics.collect()]
        source.standing = StoreStanding(2_000.0, ("trip",))
        await source.clock.sleep(15.0)
        await source.watch.look()
        again = {family.name: family.samples for family in metrics.collect()}
        assert [(one.labels, one.value) for one in again["amends_dead_letters"]] == [({"kind": "bank"}, 0)]

    in_virtual_time(scenario)
