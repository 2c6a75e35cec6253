"""Cut lines, silent lines, frozen processes, and the pace of redialling: in memory, on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime.mesh.facts import PeerLost, PeerUnreachable
from runtime.mesh.peers import PeerAddress
from runtime.ports import Link
from runtime.testing.virtual.clock import VirtualLoop
from tests.unit.mesh.world import MemoryWorld


@pytest.fixture
async def world() -> AsyncIterator[MemoryWorld]:
    world = MemoryWorld()
    yield world
    await world.end()


async def test_a_cut_is_survived_and_what_was_shed_meanwhile_is_told_as_a_gap(world: MemoryWorld) -> None:
    a, b = await world.pair()
    world.network.cut("a", "b")
    await world.until(lambda: not a.is_connected_to("b"))
    assert not a.mesh.push("b", b"in the store")
    await world.clock.sleep(60.0)
    world.network.join("a", "b")
    await world.until(lambda: a.is_connected_to("b") and b.is_connected_to("a"), within_s=3.0)
    await world.until(lambda: b.receiver.gaps == [0, 0])
    assert len(a.told(PeerUnreachable)) <= 1


async def test_a_line_that_is_silent_one_way_is_given_up_by_the_side_that_hears_nothing(world: MemoryWorld) -> None:
    a, b = await world.pair()
    world.network.hold(("a", "b"))
    await world.until(lambda: b.told(PeerLost), within_s=2 * world.settings.silent_s)
    assert "not heard of" in b.told(PeerLost)[0].reason
    await world.until(lambda: a.told(PeerLost))
    world.network.release(("a", "b"))
    await world.until(lambda: a.is_connected_to("b") and b.is_connected_to("a"))


async def test_a_line_that_is_silent_for_less_than_the_limit_is_kept(world: MemoryWorld) -> None:
    a, b = await world.pair()
    for way in (("a", "b"), ("b", "a")):
        world.network.hold(way)
    a.mesh.push("b", b"x")
    await world.clock.sleep(world.settings.silent_s - 0.5)
    for way in (("a", "b"), ("b", "a")):
        world.network.release(way)
    await world.until(lambda: b.receiver.taken == [b"x"])
    assert not a.told(PeerLost) and not b.told(PeerLost)


async def test_a_process_that_was_frozen_does_not_take_its_peers_for_lost(world: MemoryWorld) -> None:
    a, b = await world.pair()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop._jumping.now_s += 600.0
    await world.clock.sleep(2.0)
    assert not a.told(PeerLost) and not b.told(PeerLost)


async def test_a_node_that_is_away_is_dialled_at_a_bounded_pace(world: MemoryWorld) -> None:
    dials: list[Link] = []

    class Counting:
        async def dial(self, address: str) -> Link:
            dials.append(await inner.dial(address))
            return dials[-1]

        async def close(self) -> None: ...

    inner = world.network.transport("a")
    world._transport = lambda name, ports: Counting()  # type: ignore[method-assign]
    a = await world.start("a")
    a.mesh.set_peers({"b": PeerAddress("b", "1")})
    await world.clock.sleep(1.0)
    assert 3 <= len(dials) <= 10
    await world.clock.sleep(59.0)
    assert 30 <= len(dials) <= 70
    assert len(a.told(PeerUnreachable)) == 1


async def test_a_node_that_is_heard_of_is_dialled_at_once(world: MemoryWorld) -> None:
    a, b = await world.start("a"), await world.start("b")
    await world.unlisten("b")
    a.mesh.set_peers({"b": b.at})
    await world.clock.sleep(60.0)  # its pauses are the longest now
    await world.listen("b", b.mesh.accept, b.ports)
    began_s = world.clock.monotonic_s()
    b.mesh.set_peers({"a": a.at})
    await world.until(lambda: a.is_connected_to("b"))
    assert world.clock.monotonic_s() - began_s < 0.1


async def test_a_refusal_is_not_retried_sooner_because_the_node_is_heard_of(world: MemoryWorld) -> None:
    a, b = await world.start("a"), await world.start("b")
    a.mesh.set_peers({"b": PeerAddress("b", "an older one")})
    await world.until(lambda: not a.way_to("b").connected and "incarnation" in a.way_to("b").reason)
    reason = a.way_to("b").reason
    b.mesh.set_peers({"a": a.at})
    await world.until(lambda: b.is_connected_to("a"))
    await world.clock.sleep(world.settings.refused_s / 4)
    assert a.way_to("b").reason == reason


async def test_a_peer_is_told_of_a_gap_when_asked_to_and_before_what_is_pushed_next(world: MemoryWorld) -> None:
    a, b = await world.pair()
    a.mesh.push("b", b"before")
    await world.until(lambda: b.receiver.taken == [b"before"])
    a.mesh.request_resync("b")
    a.mesh.push("b", b"after")
    await world.until(lambda: b.receiver.taken == [b"before", b"after"])
    assert b.receiver.gaps == [0, 1]
    a.mesh.request_resync_everywhere()
    await world.until(lambda: b.receiver.gaps == [0, 1, 2])


async def test_a_gap_for_a_node_that_is_no_peer_is_nothing(world: MemoryWorld) -> None:
    a = await world.start("a")
    a.mesh.request_resync("nobody")
    a.mesh.request_resync_everywhere()
