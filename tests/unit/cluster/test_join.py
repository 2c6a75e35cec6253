"""Whose name it is: the holder is asked whatever our own clock says of its lease, and nobody asks without a pause."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from runtime.adapters import AsyncioTasks
from runtime.cluster.facts import NameHeld
from runtime.cluster.join import join
from runtime.cluster.lease import ClusterSettings
from runtime.errors import DeadlineExceeded, NodeNameTaken
from runtime.ports import Fact, Ports
from runtime.store.memory import MemoryStore
from runtime.store.records import NodeRow
from runtime.testing.conformance.samples import node_row
from runtime.testing.virtual.clock import VirtualClock
from runtime.testing.virtual.dice import Dice

SETTINGS = ClusterSettings()
AHEAD_S = (0.0, 5.0, 3_600.0)


class Ahead(VirtualClock):
    def __init__(self, by_s: float) -> None:
        super().__init__(asyncio.get_running_loop())
        self._by_s = by_s

    def now_s(self) -> float:
        return super().now_s() + self._by_s


class Late:
    """A node that starts under the name of another, with a clock that is ahead, and nobody else to set it right."""

    def __init__(self, by_s: float) -> None:
        self.facts: list[Fact] = []
        self.true = VirtualClock(asyncio.get_running_loop())
        self.clock = Ahead(by_s)
        self.ports = Ports(self.clock, Dice(1, "ids"), Dice(1, "randomness"), AsyncioTasks(), self.facts.append)
        self.store = MemoryStore(self.ports)
        self.row = node_row("a", incarnation="late")
        self.asked: list[float] = []
        self.hold("first")

    def hold(self, incarnation: str) -> None:
        row = node_row("a", incarnation=incarnation)
        until_s = self.true.now_s() + SETTINGS.lease_s
        self.store._nodes["a"] = replace(row, lease_until_s=until_s, lease_s=SETTINGS.lease_s)

    async def silent(self, address: str) -> str | None:
        self.asked.append(self.true.monotonic_s())
        raise DeadlineExceeded(address)

    async def join(self, who_answers: object) -> float:
        view = await self.store.cluster()
        return await join(self.store, self.ports, self.row, SETTINGS, who_answers, view)  # type: ignore[arg-type]

    @property
    def holder(self) -> NodeRow:
        return self.store._nodes["a"]


@pytest.mark.parametrize("ahead_s", AHEAD_S)
async def test_a_holder_that_answers_keeps_its_name_whatever_our_clock_says(ahead_s: float) -> None:
    late = Late(ahead_s)

    async def alive(address: str) -> str | None:
        return "first"

    with pytest.raises(NodeNameTaken, match="a live node is already named 'a'"):
        await late.join(alive)
    assert late.holder.incarnation == "first"


@pytest.mark.parametrize("ahead_s", AHEAD_S)
async def test_a_holder_that_is_silent_and_renews_keeps_its_name_too(ahead_s: float) -> None:
    late = Late(ahead_s)

    async def renew() -> None:
        while late.holder.incarnation == "first":
            late.hold("first")
            await asyncio.sleep(SETTINGS.renew_s)

    renewing = asyncio.ensure_future(renew())
    with pytest.raises(NodeNameTaken, match="keeps renewing its lease"):
        await late.join(late.silent)
    renewing.cancel()


@pytest.mark.parametrize("ahead_s", AHEAD_S)
async def test_a_holder_that_is_silent_and_does_not_renew_is_replaced_after_a_lease(ahead_s: float) -> None:
    late = Late(ahead_s)
    began_s = late.true.monotonic_s()
    await late.join(late.silent)
    took_s = late.true.monotonic_s() - began_s
    assert late.holder.incarnation == "late"
    assert SETTINGS.lease_s - SETTINGS.renew_s <= took_s <= SETTINGS.lease_s + SETTINGS.renew_s
    assert sum(isinstance(fact, NameHeld) for fact in late.facts) == 1


@pytest.mark.parametrize("ahead_s", AHEAD_S)
async def test_one_that_is_gone_is_replaced_at_once(ahead_s: float) -> None:
    late = Late(ahead_s)
    began_s = late.true.monotonic_s()

    async def gone(address: str) -> str | None:
        return None

    await late.join(gone)
    assert (late.holder.incarnation, late.true.monotonic_s()) == ("late", began_s)


async def test_holders_that_keep_changing_are_asked_with_pauses_and_not_for_ever() -> None:
    late = Late(0.0)
    asked: list[float] = []

    async def another_each_time(address: str) -> str | None:
        asked.append(late.true.monotonic_s())
        assert len(asked) < 100
        late.hold(f"life-{len(asked)}")
        return None

    with pytest.raises(NodeNameTaken, match="th that got the name while this one waits"):
        await late.join(another_each_time)
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert pauses and min(pauses) >= SETTINGS.renew_s / 4
