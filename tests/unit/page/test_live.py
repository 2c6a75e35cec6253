"""One reader for all who look: it reads as long as somebody does, and names the parts that changed. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from runtime.adapters import system_ports
from runtime.errors import Overloaded, StoreUnavailable
from runtime.page.live import VIEWERS_MAX, LiveReader, Look, ScreenFailed
from runtime.ports import Fact
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import in_virtual_time

Scene = Callable[["WatchedStore"], Awaitable[None]]
SEEN = {"list": "1", "head": "1"}


class WatchedStore:
    """What the reader reads, and how often it did."""

    def __init__(self) -> None:
        self.marks: dict[str, str] = {"list": "1", "head": "1"}
        self.changing: dict[str, dict[str, str]] = {}  # marks of an address that has its own
        self.error: Exception | None = None
        self.reads: list[str] = []
        self.takes_s = 0.0
        self.facts: list[Fact] = []
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.rounds = 0
        self.away: Exception | None = None
        self.reader = LiveReader(self._looking, replace(system_ports(), clock=self.clock, report=self.facts.append))

    @asynccontextmanager
    async def _looking(self) -> AsyncIterator[Look]:
        self.rounds += 1
        if self.away is not None:
            raise self.away
        yield self._read

    async def _read(self, address: str) -> Mapping[str, str]:
        self.reads.append(address)
        await self.clock.sleep(self.takes_s)
        if self.error is not None:
            raise self.error
        return self.changing.get(address) or dict(self.marks)

    def look(self, address: str = "/sagas", seen: Mapping[str, str] = SEEN) -> AsyncIterator[str]:
        self.viewer = self.reader.look(address, seen)
        return self.viewer.events()


def played(scene: Scene) -> None:
    async def play() -> None:
        await scene(WatchedStore())

    in_virtual_time(play)


def test_only_parts_that_changed_are_named() -> None:
    async def scene(store: WatchedStore) -> None:
        events = store.look()
        assert (await anext(events)).startswith(":"), "nothing has changed in 15 seconds"
        store.marks["list"] = "2"
        assert await anext(events) == "event: changed-list\ndata: list\n\n"
        assert (await anext(events)).startswith(":")

    played(scene)


def test_a_browser_that_shows_something_old_is_told_at_once() -> None:
    async def scene(store: WatchedStore) -> None:
        events = store.look(seen={"list": "0"})
        assert await anext(events) == "event: changed-list\ndata: list\n\nevent: changed-head\ndata: head\n\n"

    played(scene)


def test_an_address_is_read_once_for_all_who_look_at_it() -> None:
    async def scene(store: WatchedStore) -> None:
        for _ in range(20):
            store.look("/sagas")
        store.look("/")
        await store.clock.sleep(0.5)
        assert store.reads == ["/sagas", "/"]
        await store.clock.sleep(3.0)
        assert store.reads == ["/sagas", "/"] * 4
        assert store.rounds == 4, "the store is opened once for all addresses"

    played(scene)


def test_what_moves_all_the_time_is_read_every_two_seconds_and_all_else_each_second() -> None:
    async def scene(store: WatchedStore) -> None:
        store.look("/sagas")
        store.look("/still")
        for number in range(8):
            store.changing["/sagas"] = {"list": str(number)}
            await store.clock.sleep(1.0)
        assert store.reads.count("/still") == 8
        assert store.reads.count("/sagas") == 4

    played(scene)


@pytest.mark.parametrize("error", [StoreUnavailable("it is locked"), KeyError("it is locked")], ids=["store", "fault"])
def test_a_store_that_cannot_be_opened_is_told_to_all_and_tried_again(error: Exception) -> None:
    async def scene(store: WatchedStore) -> None:
        store.away = error
        events = store.look()
        assert (await anext(events)).startswith("event: store-lost\n")
        store.away = None
        assert await anext(events) == "event: store-found\ndata: \n\n"
        assert [type(fact) for fact in store.facts] == ([ScreenFailed] if isinstance(error, KeyError) else [])

    played(scene)


def test_nothing_is_read_when_nobody_looks() -> None:
    async def scene(store: WatchedStore) -> None:
        store.look()
        first = store.viewer
        store.look()
        await store.clock.sleep(2.5)
        store.reader.leave(first)
        await store.clock.sleep(1.0)
        assert len(store.reads) == 4, "one still looks"
        store.reader.leave(store.viewer)
        await store.clock.sleep(60.0)
        assert len(store.reads) == 4
        assert "the page's reader" not in {task.get_name() for task in asyncio.all_tasks()}
        store.look()
        await store.clock.sleep(0.5)
        assert len(store.reads) == 5, "somebody looks again"

    played(scene)


def test_a_slow_store_is_read_a_tenth_of_the_time() -> None:
    async def scene(store: WatchedStore) -> None:
        store.takes_s = 5.0
        store.look()
        await store.clock.sleep(500.0)
        assert len(store.reads) == 10

    played(scene)


def test_a_store_that_goes_away_is_told_and_its_return_too() -> None:
    async def scene(store: WatchedStore) -> None:
        events = store.look()
        store.error = StoreUnavailable("the disk\nis gone")
        assert await anext(events) == "event: store-lost\ndata: the disk is gone\n\n"
        store.error, store.marks["head"] = None, "2"
        assert await anext(events) == "event: store-found\ndata: \n\nevent: changed-head\ndata: head\n\n"

    played(scene)


def test_a_fault_of_one_screen_is_reported_and_the_others_are_read_on() -> None:
    async def scene(store: WatchedStore) -> None:
        store.look("/broken")
        store.look("/sagas")
        store.error = KeyError("missing")
        await store.clock.sleep(1.5)
        assert store.reads == ["/broken", "/sagas"] * 2
        assert store.facts[0] == ScreenFailed("/broken", "KeyError('missing')")

    played(scene)


def test_one_browser_too_many_is_refused() -> None:
    async def scene(store: WatchedStore) -> None:
        for _ in range(VIEWERS_MAX):
            store.look()
        with pytest.raises(Overloaded):
            store.look()
        store.reader.leave(store.viewer)
        store.look()

    played(scene)


def test_a_reader_that_is_closed_ends_what_it_tells() -> None:
    async def scene(store: WatchedStore) -> None:
        events = store.look()
        store.reader.close()
        assert [text async for text in events] == []
        with pytest.raises(Overloaded):
            store.look()

    played(scene)
