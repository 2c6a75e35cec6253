"""A cluster of members in one loop, each of which can be killed, frozen, or cut off from the shared store."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, cast

from runtime.cluster.beside import with_wishes
from runtime.cluster.facts import LeaseRegained
from runtime.cluster.lease import ClusterSettings
from runtime.cluster.membership import Membership
from runtime.cluster.placement import Slot, place
from runtime.errors import DeadlineExceeded, StoreUnavailable
from runtime.ports import Cancellable, Clock, Fact, Ports
from runtime.store.port import Store
from runtime.store.records import ClusterView, NodeRow, ShardRow
from runtime.testing.virtual.dice import Dice


class NodeClock:
    """The clock of one process: a dead one's timers never fire, a frozen one's fire when it wakes up."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.alive = True
        self.frozen = False
        self._missed: list[tuple[Callable[..., object], tuple[object, ...]]] = []

    def now_s(self) -> float:
        return self._clock.now_s()

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()

    async def sleep(self, delay_s: float) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(delay_s, _finish, done)
        try:
            await done
        finally:
            timer.cancel()

    def call_later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> Cancellable:
        return self._clock.call_later(delay_s, self._fire, callback, arguments)

    def _fire(self, callback: Callable[..., object], arguments: tuple[object, ...]) -> None:
        if self.frozen:
            self._missed.append((callback, arguments))
        elif self.alive:
            callback(*arguments)

    def thaw(self) -> None:
        self.frozen = False
        missed, self._missed = self._missed, []
        for callback, arguments in missed:
            self._fire(callback, arguments)


def _finish(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


class NodeTasks:
    """The tasks of one process, which end with it."""

    def __init__(self) -> None:
        self.running: list[asyncio.Task[Any]] = []

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self.running.append(task)
        task.add_done_callback(self.running.remove)
        return task

    def call_soon(self, callback: Callable[..., object], *arguments: object) -> Cancellable:
        return asyncio.get_running_loop().call_soon(callback, *arguments)

    def new_future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()


class StoreLine:
    """One process's way to the store. `cut` makes each call fail; `stalled` makes it wait, before and after it acts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.cut = False
        self.calls: Counter[str] = Counter()
        self._flows = asyncio.Event()
        self._flows.set()
        self._held: dict[str, asyncio.Event] = {}

    def stall(self) -> None:
        self._flows.clear()

    def flow(self) -> None:
        self._flows.set()

    def hold(self, method: str) -> asyncio.Event:
        """Answers of this method come only after the event."""
        held = self._held[method] = asyncio.Event()
        return held

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        method = getattr(self._store, name)

        async def call(*arguments: Any, **options: Any) -> Any:
            self.calls[name] += 1
            await self._flows.wait()
            if self.cut:
                raise StoreUnavailable("the line to the store is cut")
            answer = await method(*arguments, **options)
            await self._flows.wait()
            if name in self._held:
                await self._held[name].wait()
            return answer

        return call


class Owner:
    """Runs shards in name only, and checks that nobody else does at the same time."""

    membership: Membership

    def __init__(self, world: MemberWorld, name: str) -> None:
        self._world = world
        self._name = name
        self.running: list[Slot] = []
        self.log: list[str] = []
        self.views: list[ClusterView] = []
        self.turns: dict[Slot, asyncio.Event] = {}  # a release waits for the turn that runs
        self.acquire_errors = 0  # so many calls of `take_over` fail
        self.swept = asyncio.Event()  # `take_over` waits for it
        self.swept.set()
        self.begins_late = False  # `take_over` has them run only then

    async def take_over(self, kind: str, shards: frozenset[int]) -> None:
        self.log.append("acquired")
        assert self.membership.lease_is_sure(), "acquired without a lease"
        if self.acquire_errors:
            self.acquire_errors -= 1
            raise StoreUnavailable("could not sweep")
        if self.begins_late:
            await self.swept.wait()
        for shard in sorted(shards):
            self._world.check_alone(self._name, (kind, shard))
            assert (kind, shard) not in self.running, "acquired twice"
            self.running.append((kind, shard))
        await self.swept.wait()

    async def release(self, kind: str, shards: frozenset[int]) -> None:
        self.log.append("release")
        for shard in sorted(shards):
            if (kind, shard) in self.turns:
                await self.turns[kind, shard].wait()
            if (kind, shard) in self.running:
                self.running.remove((kind, shard))

    def on_lease_lost(self, reason: str) -> None:
        self.log.append("lost")
        self.running.clear()

    def on_view(self, view: ClusterView) -> None:
        self.views.append(view)


class Member:
    """One process: a membership with its own clock, tasks, line and owner."""

    def __init__(self, world: MemberWorld, name: str, kinds: tuple[str, ...], incarnation: str, address: str) -> None:
        self.name = name
        self.clock = NodeClock(world.clock)
        self.tasks = NodeTasks()
        self.store = world.connect()
        self.line = StoreLine(self.store)
        self.owner = Owner(world, name)
        self.facts: list[Fact] = []
        self.deaf = False  # its port is open, but nobody answers there
        row = NodeRow(name=name, incarnation=incarnation, address=address, kinds=kinds, version="1")
        self.row = with_wishes(row, world.beside)
        self.ports = Ports(
            clock=self.clock,
            ids=Dice(world.count, "ids"),
            randomness=Dice(world.count, "randomness"),
            tasks=self.tasks,
            report=self._report,
        )
        self.membership = self.owner.membership = Membership(
            cast(Store, self.line), self.ports, self.row, self.owner, world.settings, world.who_answers
        )

    def _report(self, fact: Fact) -> None:
        self.facts.append(fact)
        if isinstance(fact, LeaseRegained):
            self.owner.log.append("regained")

    @property
    def owned(self) -> list[Slot]:
        """Slots whose turns may start here."""
        return list(self.owner.running) if self.membership.lease_is_sure() else []

    def kill(self) -> None:
        self.clock.alive = False
        self.line.stall()
        for task in list(self.tasks.running):
            task.cancel()
        self.owner.running.clear()

    def freeze(self) -> None:
        self.clock.frozen = True
        self.line.stall()

    def thaw(self) -> None:
        self.line.flow()
        self.clock.thaw()

    async def thaw_timers_last(self) -> None:
        """A loop that wakes up runs what became ready by I/O before what became due."""
        self.line.flow()
        for _ in range(20):
            await asyncio.sleep(0)
        self.clock.thaw()

    def told(self, fact: type[Fact]) -> list[Fact]:
        return [each for each in self.facts if isinstance(each, fact)]


class MemberWorld:
    """A store and the members on it. `members` has the live and the frozen ones by name."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        settings: ClusterSettings | None = None,
        connect: Callable[[], Store] | None = None,
    ) -> None:
        self.store = store
        self.connect = connect or (lambda: store)  # a process's own way into the same store
        self.clock = clock
        self.settings = settings or ClusterSettings()
        self.beside: Mapping[str, str] = {}  # what the catalogue of members to come says
        self.members: dict[str, Member] = {}
        self.listening: dict[str, Member] = {}
        self.count = 0

    def member(self, name: str, *kinds: str) -> Member:
        """A process that has not joined yet."""
        self.count += 1
        address = f"127.0.0.1:{7000 + self.count}"
        member = self.listening[address] = Member(self, name, kinds or ("billing",), f"life-{self.count}", address)
        return member

    async def start(self, name: str, *kinds: str) -> Member:
        member = self.member(name, *kinds)
        await member.store.open()
        await member.membership.start()
        self.members[name] = member
        return member

    async def stop(self, name: str) -> None:
        member = self.members.pop(name)
        await member.membership.leave()
        del self.listening[member.row.address]

    def kill(self, name: str) -> Member:
        member = self.members.pop(name)
        member.kill()
        del self.listening[member.row.address]
        return member

    async def who_answers(self, address: str) -> str | None:
        member = self.listening.get(address)
        if member is None:
            return None
        if member.clock.frozen or member.deaf:
            raise DeadlineExceeded("it is silent")
        return member.row.incarnation

    def check_alone(self, name: str, slot: Slot) -> None:
        for address in sorted(self.listening):
            other = self.listening[address]
            assert other.name == name or slot not in other.owned, f"{name} and {other.name} both run {slot}"

    async def pass_s(self, seconds: float) -> None:
        await self.clock.sleep(seconds)

    async def until(self, condition: Callable[[], bool], within_s: float = 60.0) -> float:
        """Seconds until a condition held."""
        begin_s = self.clock.monotonic_s()
        while not condition():
            assert self.clock.monotonic_s() - begin_s < within_s, "it never came to be"
            await self.clock.sleep(0.005)
        return self.clock.monotonic_s() - begin_s

    def at_rest(self) -> bool:
        """Whether every shard is run by one member, and no member runs more or less than its share."""
        owned = [(slot, member.name) for member in self.members.values() for slot in member.owned]
        rows = [ShardRow(*slot, owner=name, epoch=0) for slot, name in owned]
        hosts = [member.row for member in self.members.values()]
        return len({*owned}) == len(owned) and place(hosts, rows, self.settings.shards_per_kind) == dict(owned)

    async def epochs(self) -> dict[Slot, int]:
        return {(row.kind, row.shard): row.epoch for row in (await self.store.cluster()).shards}

    async def end(self) -> None:
        for name in sorted(self.members):
            self.kill(name)
        await asyncio.sleep(0)
