"""A node goes by a time that does not jump, and by its live peers' or the store's when its own is off as it starts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from runtime.adapters import AsyncioTasks, SystemClock
from runtime.cluster.cluster_time import ClusterTime
from runtime.cluster.facts import ClockBehindStore, ClockJumped, ClockSetRight
from runtime.cluster.lease import ClusterSettings
from runtime.ports import Fact, Ports, SteadyClock
from runtime.store.lived import Lived
from runtime.store.memory import MemoryStore
from runtime.store.records import NodeRow
from runtime.testing.conformance.samples import node_row
from runtime.testing.virtual.clock import VirtualClock, VirtualLoop
from runtime.testing.virtual.dice import Dice

SETTINGS = ClusterSettings()
OFF_S = (-86_400.0, -5.0, 5.0, 3_600.0, 86_400.0)


class WrongClock(VirtualClock):
    """A steady clock on virtual time that was read wrong by so much."""

    def __init__(self, off_s: float) -> None:
        super().__init__(asyncio.get_running_loop())
        self.machine_s = self.offset_s + off_s
        self.offset_s = self.machine_s

    def off_s(self) -> float:
        return self.machine_s - self.offset_s

    def set_right(self, by_s: float) -> None:
        self.offset_s += by_s


class RowStore(MemoryStore):
    """What other processes wrote, read by a node with a clock of its own."""

    async def renewing(self, true: VirtualClock, *names: str, lease_s: float = SETTINGS.lease_s) -> None:
        while True:
            for name in names:
                self._nodes[name] = replace(_leased(name, true.now_s() + lease_s), lease_s=lease_s)
            await asyncio.sleep(SETTINGS.renew_s)


def _leased(name: str, until_s: float) -> NodeRow:
    return replace(node_row(name), lease_until_s=until_s, lease_s=SETTINGS.lease_s)


class TimedNode:
    def __init__(self, off_s: float) -> None:
        self.facts: list[Fact] = []
        self.true = VirtualClock(asyncio.get_running_loop())
        self.clock = WrongClock(off_s)
        self.ports = Ports(self.clock, Dice(1, "ids"), Dice(1, "randomness"), AsyncioTasks(), self.facts.append)
        self.store = RowStore(self.ports)
        self.time = ClusterTime(self.ports, SETTINGS, node_row("late"))

    @property
    def wrong_by_s(self) -> float:
        return self.clock.now_s() - self.true.now_s()


def _run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(test())


@pytest.mark.parametrize("off_s", OFF_S)
def test_a_node_that_starts_with_a_wrong_clock_goes_by_its_live_peers(off_s: float) -> None:
    async def scenario() -> None:
        node = TimedNode(off_s)
        node.store._nodes["dead"] = _leased("dead", node.true.now_s() - 500_000.0)
        peers = asyncio.ensure_future(node.store.renewing(node.true, "a-1", "b-1"))
        await asyncio.sleep(1.0)
        await node.time.anchor(node.store)
        peers.cancel()
        assert abs(node.wrong_by_s) <= SETTINGS.renew_s
        [fact] = node.facts
        assert isinstance(fact, ClockSetRight)
        assert (fact.member, fact.peers) == ("late", ("a-1", "b-1"))

    _run(scenario)


@pytest.mark.parametrize("off_s", [0.0, *OFF_S])
@pytest.mark.parametrize("lease_s", [2.0, 60.0, 600.0])
def test_peers_whose_leases_last_longer_or_shorter_mislead_nobody(lease_s: float, off_s: float) -> None:
    async def scenario() -> None:
        node = TimedNode(off_s)
        peers = asyncio.ensure_future(node.store.renewing(node.true, "a-1", "b-1", lease_s=lease_s))
        await asyncio.sleep(1.0)
        await node.time.anchor(node.store)
        peers.cancel()
        assert abs(node.wrong_by_s) <= SETTINGS.renew_s
        assert len(node.facts) == (1 if off_s else 0)

    _run(scenario)


def test_a_peer_that_does_not_say_how_long_its_lease_lasts_is_not_asked() -> None:
    async def scenario() -> None:
        node = TimedNode(0.0)
        peers = asyncio.ensure_future(node.store.renewing(node.true, "old", lease_s=0.0))
        node.store._nodes["old"] = replace(_leased("old", node.true.now_s() + 60.0), lease_s=0.0)
        await node.time.anchor(node.store)
        peers.cancel()
        assert (node.wrong_by_s, node.facts) == (0.0, [])

    _run(scenario)


@pytest.mark.parametrize("lease_left_s", [-1e6, -3.0, -0.1, 1.0])
def test_a_node_whose_peers_are_dead_or_agree_keeps_its_own_time(lease_left_s: float) -> None:
    async def scenario() -> None:
        node = TimedNode(0.0)
        node.store._nodes["a-1"] = _leased("a-1", node.true.now_s() + lease_left_s)
        await node.time.anchor(node.store)
        assert (node.wrong_by_s, node.facts) == (0.0, [])

    _run(scenario)


@pytest.mark.parametrize("behind_s", [5.0, 3_600.0, 1e9])
@pytest.mark.parametrize("of", ["a dead peer", "its own life before", "time lived through"])
def test_a_node_that_starts_alone_with_a_clock_behind_the_store_goes_on_from_there(of: str, behind_s: float) -> None:
    async def scenario() -> None:
        node = TimedNode(-behind_s)
        seen_s = node.true.now_s() - 1.0
        if of == "time lived through":
            await node.store.put_lived(Lived(40.0, ((0.0, seen_s - 900.0), (10.0, seen_s - 30.0))))
        else:
            name = "dead" if of == "a dead peer" else "late"
            node.store._nodes[name] = _leased(name, seen_s + SETTINGS.lease_s)
        await node.time.anchor(node.store)
        assert -3.0 < node.wrong_by_s <= 0.0
        (fact,) = node.facts
        assert isinstance(fact, ClockBehindStore)
        assert fact.member == "late"
        assert fact.by_s == pytest.approx(behind_s, abs=3.0)
        node.time.look()
        assert len(node.facts) == 1

    _run(scenario)


@pytest.mark.parametrize("ahead_s", [0.0, 5.0, 86_400.0])
def test_a_node_that_starts_alone_cannot_know_that_its_clock_is_ahead(ahead_s: float) -> None:
    async def scenario() -> None:
        node = TimedNode(ahead_s)
        node.store._nodes["dead"] = _leased("dead", node.true.now_s() - 3.0)
        await node.store.put_lived(Lived(10.0, ((0.0, node.true.now_s() - 11.0),)))
        await node.time.anchor(node.store)
        assert (node.wrong_by_s, node.facts) == (ahead_s, [])

    _run(scenario)


@pytest.mark.parametrize("off_s", [0.0, -5.0, 3_600.0])
def test_who_lives_counts_more_than_what_the_dead_have_left_behind(off_s: float) -> None:
    async def scenario() -> None:
        node = TimedNode(off_s)
        ahead_s = node.true.now_s() + 86_400.0
        node.store._nodes["dead"] = _leased("dead", ahead_s)
        await node.store.put_lived(Lived(10.0, ((0.0, ahead_s),)))
        peers = asyncio.ensure_future(node.store.renewing(node.true, "a-1"))
        await asyncio.sleep(1.0)
        await node.time.anchor(node.store)
        peers.cancel()
        assert abs(node.wrong_by_s) <= SETTINGS.renew_s

    _run(scenario)


@pytest.mark.parametrize("jump_s", OFF_S)
def test_a_jump_of_the_machines_clock_is_said_once_and_moves_nothing(jump_s: float) -> None:
    async def scenario() -> None:
        node = TimedNode(0.0)
        node.time.look()
        node.clock.machine_s += jump_s
        node.time.look()
        node.time.look()
        assert node.facts == [ClockJumped(member="late", off_s=jump_s)]
        assert node.wrong_by_s == 0.0

    _run(scenario)


@pytest.mark.parametrize("jump_s", OFF_S)
def test_the_clock_of_a_process_does_not_follow_the_machines(jump_s: float, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SystemClock()
    assert isinstance(clock, SteadyClock)
    before_s, real = clock.now_s(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + jump_s)
    assert 0 <= clock.now_s() - before_s < 3
    assert abs(clock.off_s() - jump_s) < 3
