"""Simulated streams keep their order, and whoever is on one that breaks learns of it in time."""

from __future__ import annotations

import asyncio

import pytest

from runtime.adapters import ignore
from runtime.errors import LinkLost, PortClosed
from runtime.ports import Link
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.loop import Process, SimLoop
from runtime.testing.virtual.machine import machine_ports
from runtime.testing.virtual.wires import SimNetwork
from tests.unit.testing.virtual.running import run


async def _streams(loop: SimLoop, network: SimNetwork) -> tuple[Link, Link]:
    accepted: asyncio.Future[Link] = loop.create_future()

    async def accept(link: Link) -> None:
        accepted.set_result(link)
        await loop.create_future()

    network.listen("b", accept, machine_ports(loop, Process("b"), Dice(1), ignore).tasks)
    return await network.transport("a").dial("b"), await accepted


def test_frames_arrive_in_order_whatever_runs_first_and_wait_while_they_are_held() -> None:
    async def scenario(loop: SimLoop) -> None:
        network = SimNetwork(loop, Dice(2), lambda *_: None)
        dialled, accepted = await _streams(loop, network)
        network.hold(("a", "b"))
        frames = [bytes([number]) for number in range(50)]
        for frame in frames:
            await dialled.send(frame)
        reader = loop.create_task(accepted.receive())
        await asyncio.sleep(100.0)
        assert not reader.done()
        network.release(("a", "b"))
        assert [await reader] + [await accepted.receive() for _ in frames[1:]] == frames

    run(scenario)


def test_who_writes_to_a_torn_stream_learns_of_it_soon_and_what_was_sent_may_still_be_read() -> None:
    async def scenario(loop: SimLoop) -> None:
        network = SimNetwork(loop, Dice(2), lambda *_: None)
        network.notice_s = 1_000.0
        dialled, accepted = await _streams(loop, network)
        network.slow(("a", "b"), 5_000.0)
        await dialled.send(b"late")
        network.tear("a", "b")
        await asyncio.sleep(0.5)
        with pytest.raises(LinkLost):
            await dialled.send(b"never")
        assert await accepted.receive() == b"late"
        with pytest.raises(LinkLost):
            await accepted.receive()

    run(scenario)


def test_a_torn_stream_is_lost_on_both_sides_and_a_dark_machine_says_nothing() -> None:
    async def scenario(loop: SimLoop) -> None:
        network = SimNetwork(loop, Dice(2), lambda *_: None)
        dialled, accepted = await _streams(loop, network)
        network.tear("a", "b")
        for side in (dialled, accepted):
            with pytest.raises(LinkLost):
                await side.receive()
        network.lose("b", dark=True)
        silent = await network.transport("a").dial("b")
        waits = loop.create_task(silent.receive())
        await asyncio.sleep(100.0)
        assert not waits.done()
        refused = await network.transport("a").dial("c")
        with pytest.raises(PortClosed):
            await refused.receive()

    run(scenario)
