"""One reader for all who look: it reads as long as somebody does, and names the parts that changed. In virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace

import pytest

from runtime.adapters import system_ports
from runtime.errors import Overloaded, StoreUnavailable
from runtime.page.live import VIEWERS_MAX, LiveReader, ScreenFailed
from runtime.ports import Fact
from runtime.testing.virtual.clock import VirtualClock
from tests.unit.durable.local import in_virtual_time

Scene = Callable[["WatchedStore"], Awaitable[None]]
SEEN = {"list": "1", "head": "1"}


class WatchedStore:
    """What the reader reads, and how often it did."""

    def __init__(self) -> None:
        self.marks: dict[str, str] = {"list": "1", "head": "1"}
        self.error: Exception | None = None
        self.reads: list[str] = []
        self.takes_s = 0.0
        self.facts: list[Fact] = []
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.reader = LiveReader(self._read, replace(system_ports(), clock=self.clock, report=self.facts.append))

    async def _read(self, address: str) -> Mapping[str, str]:
        self.reads.append(address)
        await self.clock.sleep(self.takes_s)
        if self.error is not None:
            raise self.error
        return dict(self.marks)

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
