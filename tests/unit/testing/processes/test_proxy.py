"""The proxy against plain sockets: each fault does what it says, and nothing else."""

from __future__ import annotations

import asyncio
import os
import socket

import pytest

from runtime.testing.processes.lane import HELD_BYTES_MAX
from runtime.testing.processes.proxy import ProxiedLink, Proxy
from tests.unit.testing.processes.echo import WITHIN_S, Target, ask, dial, go_there_and_back, is_broken, until


async def test_bytes_pass_both_ways_and_so_does_the_end(proxy: Proxy, target: Target, link: ProxiedLink) -> None:
    reader, writer = await dial(proxy)
    assert await ask((reader, writer), b"hello") == b"HELLO"
    writer.write_eof()
    async with asyncio.timeout(WITHIN_S):
        assert await reader.read() == b""
    assert target.ended == [True]
    await until(lambda: link.connections == 0)
    assert (link.counts.accepted, link.counts.reset) == (1, 0)
    writer.close()


async def test_much_data_passes_unchanged(proxy: Proxy, target: Target) -> None:
    reader, writer = await dial(proxy)
    sent = os.urandom(3_000_000).lower()
    writer.write(sent)
    writer.write_eof()
    async with asyncio.timeout(WITHIN_S):
        answered = await reader.read()
    assert bytes(target.heard[0]) == sent
    assert answered == sent.upper()
    writer.close()


async def test_a_target_that_is_not_there_breaks_the_connection() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with Proxy(f"127.0.0.1:{unused.getsockname()[1]}") as proxy:
            reader, writer = await dial(proxy)
            assert await is_broken(reader)
            writer.close()


async def test_a_cut_resets_what_there_is_on_both_sides_and_refuses_what_comes(
    proxy: Proxy, target: Target, link: ProxiedLink
) -> None:
    reader, writer = await dial(proxy)
    await ask((reader, writer), b"hello")
    link.cut()
    assert link.is_cut
    assert await is_broken(reader)
    await until(lambda: link.connections == 0)
    await until(lambda: target.over == 1)
    assert target.ended == [False]
    late, late_writer = await dial(proxy)
    assert await is_broken(late)
    assert (link.counts.reset, link.counts.refused, len(target.heard)) == (1, 1, 1)
    link.heal()
    again = await dial(proxy)
    assert await ask(again, b"again") == b"AGAIN"
    for one in (writer, late_writer, again[1]):
        one.close()


@pytest.mark.parametrize("duplicates", [False, True])
async def test_a_cut_breaks_a_connection_that_is_being_dialled_too(
    proxy: Proxy, link: ProxiedLink, target: Target, monkeypatch: pytest.MonkeyPatch, duplicates: bool
) -> None:
    dialling, go_on = asyncio.Event(), asyncio.Event()
    really_dial = proxy._dial

    async def slowly() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        dialling.set()
        await go_on.wait()
        return await really_dial()

    monkeypatch.setattr(proxy, "_dial", slowly)
    link.duplicates = duplicates
    reader, writer = await dial(proxy)
    writer.write(b"hello")
    await dialling.wait()
    link.cut()
    go_on.set()
    assert await is_broken(reader)
    writer.close()
    await until(lambda: target.over == 1 + duplicates)
    assert not any(target.heard)
    assert link.connections == 0


async def test_a_silent_cut_takes_connections_and_says_nothing_until_it_is_healed(
    proxy: Proxy, target: Target, link: ProxiedLink
) -> None:
    link.cut(silent=True)
    reader, writer = await dial(proxy)
    writer.write(b"hello")
    answer = asyncio.create_task(is_broken(reader))
    await until(lambda: link.connections == 1)
    await go_there_and_back(target)
    assert not answer.done()
    assert target.heard == [b"meanwhile"]
    link.heal()
    assert await answer
    writer.close()


@pytest.mark.parametrize("name", ["there", "back"])
async def test_a_frozen_way_lets_nothing_pass_and_loses_nothing(
    proxy: Proxy, target: Target, link: ProxiedLink, name: str
) -> None:
    way = getattr(link, name)
    streams = await dial(proxy)
    assert await ask(streams, b"before ") == b"BEFORE "
    way.freeze()
    assert way.frozen
    answer = asyncio.create_task(ask(streams, b"during"))
    other = await dial(proxy)  # connects, since a frozen network takes what is sent
    await until(lambda: link.connections == 2)
    await go_there_and_back(target)
    if name == "back":
        await until(lambda: target.heard[0] == b"before during")
        await go_there_and_back(target)
    else:
        assert target.heard[0] == b"before "
    assert not answer.done()
    way.thaw()
    assert await answer == b"DURING"
    for _, writer in (streams, other):
        writer.close()


async def test_a_frozen_way_hides_the_end_of_a_connection_too(proxy: Proxy, target: Target, link: ProxiedLink) -> None:
    streams = await dial(proxy)
    await ask(streams, b"hello")
    link.there.freeze()
    streams[1].write_eof()
    await go_there_and_back(target)
    assert target.ended[0] is False
    link.there.thaw()
    await until(lambda: target.ended[0])
    streams[1].close()


async def test_what_a_frozen_way_holds_is_bounded_and_the_sender_waits(
    proxy: Proxy, target: Target, link: ProxiedLink
) -> None:
    reader, writer = await dial(proxy)
    link.there.freeze()
    sent = b"x" * (HELD_BYTES_MAX * 4)
    writer.write(sent)
    draining = asyncio.create_task(writer.drain())
    unsent = -1
    while unsent != writer.transport.get_write_buffer_size():  # until nothing moves any more
        unsent = writer.transport.get_write_buffer_size()
        await asyncio.sleep(0.1)
    assert unsent > 0
    assert not draining.done()
    link.there.thaw()
    taking = asyncio.create_task(reader.readexactly(len(sent)))
    async with asyncio.timeout(WITHIN_S):
        await taking
    await draining
    assert len(target.heard[0]) == len(sent)
    writer.close()


async def test_a_delayed_way_keeps_the_order_and_lets_nothing_come_early(proxy: Proxy, link: ProxiedLink) -> None:
    loop = asyncio.get_running_loop()
    streams = await dial(proxy)
    await ask(streams, b"hello")
    link.there.delay_s = 0.2
    began_s = loop.time()
    assert await ask(streams, b"one") == b"ONE"
    assert loop.time() - began_s >= 0.2
    link.heal()
    assert await ask(streams, b"two") == b"TWO"
    streams[1].close()


async def test_many_bytes_are_under_way_at_once_on_a_delayed_way(
    proxy: Proxy, link: ProxiedLink, target: Target
) -> None:
    """A delay is no throttle: what is sent meanwhile does not wait for what is under way."""
    link.there.delay_s = 3.0
    streams = await dial(proxy)
    await until(lambda: target.heard == [b""])
    for number in range(4):
        streams[1].write(b"%d" % number)
        await go_there_and_back(target)
    assert target.heard[0] == b""
    link.there.delay_s = 600.0  # for what comes from now on: what is under way is due as before
    await until(lambda: target.heard[0] == b"0123")
    streams[1].close()


async def test_a_throttled_way_passes_a_little_at_a_time(proxy: Proxy, link: ProxiedLink, target: Target) -> None:
    loop = asyncio.get_running_loop()
    link.there.bytes_per_s = 20_000.0
    streams = await dial(proxy)
    began_s = loop.time()
    assert await ask(streams, b"x" * 5_000) == b"X" * 5_000
    assert loop.time() - began_s >= 0.2
    streams[1].write(b"y" * 1_000_000)
    await until(lambda: len(target.heard[0]) > 5_000)
    link.heal()
    await until(lambda: len(target.heard[0]) == 1_005_000)
    streams[1].close()
