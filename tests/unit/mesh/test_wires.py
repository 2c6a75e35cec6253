"""The network in memory behaves as sockets do, and can be cut and held."""

from __future__ import annotations

import asyncio

import pytest

from runtime.adapters import AsyncioTasks
from runtime.errors import AddressInUse, LinkLost, PortClosed
from runtime.ports import Link
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.wires import SimNetwork

LONG_S = 100.0


class Ends:
    """Both ends of a link from `a` to `b`."""

    def __init__(self, **settings: int) -> None:
        self.network = SimNetwork(asyncio.get_running_loop(), Dice(1), lambda *_: None, **settings)
        self.accepted: asyncio.Queue[Link] = asyncio.Queue()
        self.done = asyncio.Event()
        self.network.listen("b", self._accept, AsyncioTasks())

    async def _accept(self, link: Link) -> None:
        self.accepted.put_nowait(link)
        await self.done.wait()

    async def connect(self) -> tuple[Link, Link]:
        link = await self.network.transport("a").dial("b")
        return link, await self.accepted.get()


async def test_frames_arrive_in_order_both_ways() -> None:
    near, far = await Ends().connect()
    await near.send(b"1")
    await near.send(b"2")
    await far.send(b"3")
    assert [await far.receive(), await far.receive(), await near.receive()] == [b"1", b"2", b"3"]


async def test_a_dial_to_nobody_fails_on_first_use() -> None:
    link = await Ends().network.transport("a").dial("c")
    with pytest.raises(PortClosed):
        await link.receive()


async def test_one_address_has_one_listener_until_it_closes() -> None:
    ends = Ends()
    with pytest.raises(AddressInUse):
        ends.network.listen("b", ends._accept, AsyncioTasks())


async def test_a_sender_waits_while_the_wire_is_full() -> None:
    near, far = await Ends(wire_bytes_max=10).connect()
    await near.send(bytes(10))
    sending = asyncio.create_task(near.send(b"x"))
    await asyncio.sleep(LONG_S)
    assert not sending.done()
    await far.receive()
    await sending


async def test_closing_ends_every_wait_and_what_was_sent_still_arrives() -> None:
    near, far = await Ends().connect()
    await near.send(b"last words")
    waiting = asyncio.create_task(near.receive())
    await asyncio.sleep(LONG_S)
    assert not waiting.done()
    await near.close()
    with pytest.raises(LinkLost):
        await waiting
    assert [await far.receive(), await far.receive()] == [b"last words", None]
    with pytest.raises(LinkLost):
        await far.send(b"x")


async def test_a_stream_ends_when_the_one_who_accepted_it_is_done() -> None:
    ends = Ends()
    near, _ = await ends.connect()
    ends.done.set()
    assert await near.receive() is None
    assert ends.network.streams == [("a", "b")]
    await near.close()
    assert ends.network.streams == []


async def test_a_cut_breaks_links_and_dials_until_it_is_joined() -> None:
    ends = Ends()
    near, far = await ends.connect()
    ends.network.cut("b", "a")
    for link in (near, far):
        with pytest.raises(LinkLost):
            await link.receive()
    unreachable = await ends.network.transport("a").dial("b")
    with pytest.raises(LinkLost, match="cannot be reached") as caught:
        await unreachable.receive()
    assert not isinstance(caught.value, PortClosed)
    ends.network.join("a", "b")
    near, far = await ends.connect()
    await near.send(b"again")
    assert await far.receive() == b"again"


async def test_healing_joins_what_was_cut() -> None:
    ends = Ends()
    ends.network.cut("a", "b")
    ends.network.heal()
    near, far = await ends.connect()
    await near.send(b"x")
    assert await far.receive() == b"x"


async def test_what_is_held_arrives_when_it_is_released_and_the_other_direction_flows() -> None:
    ends = Ends()
    near, far = await ends.connect()
    ends.network.hold(("a", "b"))
    await near.send(b"slow")
    await far.send(b"quick")
    assert await near.receive() == b"quick"
    receiving = asyncio.create_task(far.receive())
    await asyncio.sleep(LONG_S)
    assert not receiving.done()
    ends.network.release(("a", "b"))
    assert await receiving == b"slow"


async def test_a_link_made_under_a_hold_is_held_too() -> None:
    ends = Ends()
    ends.network.hold(("b", "a"))
    near, far = await ends.connect()
    await far.send(b"x")
    receiving = asyncio.create_task(near.receive())
    await asyncio.sleep(LONG_S)
    assert not receiving.done()
    ends.network.release(("b", "a"))
    assert await receiving == b"x"
