"""Anything may happen to members in any order: no shard is ever run twice, and at rest each is run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.cluster.placement import Slot
from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.testing.virtual.clock import VirtualClock
from runtime.testing.virtual.dice import Dice
from tests.unit.cluster.world import Member, MemberWorld, NodeTasks

NAMES = ("a", "b", "c", "d", "e")
KINDS = (("billing",), ("sales",), ("billing", "sales"), ("billing", "warehouse"))


@pytest.fixture
async def world() -> AsyncIterator[MemberWorld]:
    clock = VirtualClock(asyncio.get_running_loop())
    ports = Ports(clock, Dice(0, "ids"), Dice(0, "randomness"), NodeTasks(), lambda fact: None)
    world = MemberWorld(MemoryStore(ports), clock)
    yield world
    await world.end()


class MemberWalk:
    """One random step after another. A frozen member counts as neither in nor out until it wakes or is killed."""

    def __init__(self, world: MemberWorld, seed: int) -> None:
        self.world = world
        self.draw = Dice(seed, "randomness")
        self.frozen: list[Member] = []
        self.epochs: dict[Slot, int] = {}

    def pick(self) -> str:
        return NAMES[self.draw.below(len(NAMES))]

    async def step(self) -> None:
        name = self.pick()
        roll = self.draw.below(10)
        member = self.world.members.get(name)
        if member is None and not any(each.name == name for each in self.frozen):
            if roll < 6:
                await self.world.start(name, *KINDS[self.draw.below(len(KINDS))])
        elif member is not None:
            await self.disturb(member, roll)
        if self.frozen and self.draw.below(4) == 0:
            self.wake(self.frozen.pop(self.draw.below(len(self.frozen))))
        await self.world.pass_s(self.draw.fraction() * (0.2 if roll % 2 else 2.0))

    async def disturb(self, member: Member, roll: int) -> None:
        if roll < 2:
            self.world.kill(member.name)
        elif roll < 4:
            await self.world.stop(member.name)
        elif roll == 4:
            member.freeze()
            self.frozen.append(self.world.members.pop(member.name))
        elif roll == 5:
            member.line.cut = True
        elif roll == 6:
            member.line.cut = False
        elif roll == 7:
            turn = member.owner.turns[self.slot(member)] = asyncio.Event()
            self.world.clock.call_later(self.draw.fraction() * 2, turn.set)

    def slot(self, member: Member) -> Slot:
        return member.row.kinds[0], self.draw.below(self.world.settings.shards_per_kind)

    def wake(self, member: Member) -> None:
        member.thaw()
        self.world.members[member.name] = member

    async def check(self) -> None:
        members = [*self.world.members.values(), *self.frozen]
        running = [slot for member in members for slot in member.owned]
        assert len(running) == len(set(running)), "a shard is run twice"
        epochs = await self.world.epochs()
        assert all(epochs[slot] >= epoch for slot, epoch in self.epochs.items()), "an epoch fell"
        self.epochs = epochs

    async def calm(self) -> None:
        while self.frozen:
            self.wake(self.frozen.pop())
        for member in self.world.members.values():
            member.line.cut = False
        await self.world.until(self.world.at_rest, within_s=20)


@pytest.mark.parametrize("seed", range(5))
async def test_a_thousand_random_steps_never_run_a_shard_twice_and_leave_none_unrun(
    world: MemberWorld, seed: int
) -> None:
    world.beside = {"sales": "billing"} if seed % 2 else {}
    walk = MemberWalk(world, seed)
    for count in range(200):
        await walk.step()
        await walk.check()
        if count % 40 == 39:
            await walk.calm()
            await walk.check()
