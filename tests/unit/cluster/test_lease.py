"""When a lease is sure, and when a store was there long enough to evict by it."""

from __future__ import annotations

import asyncio

import pytest

from runtime.cluster.lease import ClusterSettings, Lease, StoreWatch
from runtime.errors import InvalidSettings
from runtime.testing.virtual.clock import VirtualClock

SETTINGS = ClusterSettings(lease_s=1.5, renew_s=0.4)


def clock() -> VirtualClock:
    return VirtualClock(asyncio.get_running_loop())


async def answer_for(watch: StoreWatch, time: VirtualClock, seconds: float) -> None:
    for _ in range(round(seconds / 0.4)):
        watch.answered()
        await time.sleep(0.4)
    watch.answered()


async def test_a_lease_counts_from_before_its_renewal_was_sent() -> None:
    time = clock()
    lapses: list[float] = []
    lease = Lease(time, 1.5, lambda: lapses.append(time.monotonic_s()))
    judged = [lease.is_sure]
    sent_s = time.monotonic_s()
    await time.sleep(1.0)
    lease.renewed(sent_s)
    judged.append(lease.is_sure)
    await time.sleep(0.6)
    judged.append(lease.is_sure)
    assert judged == [False, True, False] and lapses == [pytest.approx(sent_s + 1.5)]


async def test_an_answer_that_comes_after_the_lease_makes_nothing_sure() -> None:
    time = clock()
    lapses: list[float] = []
    lease = Lease(time, 1.5, lambda: lapses.append(time.monotonic_s()))
    lease.renewed(time.monotonic_s() - 2.0)
    assert not lease.is_sure
    await time.sleep(0.01)
    assert len(lapses) == 1


async def test_a_renewed_lease_lapses_once_and_a_dropped_one_never() -> None:
    time = clock()
    lapses: list[float] = []
    lease = Lease(time, 1.5, lambda: lapses.append(time.monotonic_s()))
    for _ in range(5):
        lease.renewed(time.monotonic_s())
        await time.sleep(0.4)
    assert not lapses
    await time.sleep(5)
    assert len(lapses) == 1
    lease.renewed(time.monotonic_s())
    lease.drop()
    assert not lease.is_sure
    await time.sleep(5)
    assert len(lapses) == 1


async def test_eviction_needs_a_full_lease_of_answers() -> None:
    time = clock()
    watch = StoreWatch(time, SETTINGS)
    judged = [watch.may_evict]
    for seconds in (1.2, 0.4):
        await answer_for(watch, time, seconds)
        judged.append(watch.may_evict)
    assert judged == [False, False, True]


@pytest.mark.parametrize("gap_s", [0.96, 5.0])
async def test_a_gap_in_the_answers_begins_the_watch_again(gap_s: float) -> None:
    time = clock()
    watch = StoreWatch(time, SETTINGS)
    await answer_for(watch, time, 2.0)
    await time.sleep(gap_s)
    assert not watch.may_evict
    watch.answered()
    assert not watch.may_evict
    await answer_for(watch, time, 1.6)
    assert watch.may_evict


async def test_a_failed_call_begins_the_watch_again() -> None:
    time = clock()
    watch = StoreWatch(time, SETTINGS)
    await answer_for(watch, time, 2.0)
    watch.failed()
    watch.answered()
    assert not watch.may_evict


@pytest.mark.parametrize("jump_s", [-3600.0, -1.0, 1.0, 3600.0])
async def test_a_jump_of_the_stores_clock_begins_the_watch_again(jump_s: float) -> None:
    time = clock()
    watch = StoreWatch(time, SETTINGS)
    watch.read_clock(time.now_s(), sent_s=time.monotonic_s())
    await answer_for(watch, time, 2.0)
    watch.read_clock(time.now_s(), sent_s=time.monotonic_s())
    assert watch.may_evict
    time.offset_s += jump_s
    watch.read_clock(time.now_s(), sent_s=time.monotonic_s())
    assert not watch.may_evict


def test_no_silence_that_goes_unnoticed_can_cost_a_live_node_its_lease() -> None:
    for settings in (SETTINGS, ClusterSettings(lease_s=3.0, renew_s=1.0), ClusterSettings(lease_s=60.0, renew_s=2.0)):
        assert settings.renew_s < settings.gap_s < settings.lease_s - settings.renew_s


@pytest.mark.parametrize("values", [{"renew_s": 0.6}, {"renew_s": 0.0}, {"renew_s": -1.0}, {"shards_per_kind": 0}])
def test_settings_that_cannot_work_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InvalidSettings, match=next(iter(values))):
        ClusterSettings(**values)  # type: ignore[arg-type]
