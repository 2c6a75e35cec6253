"""The proxy against plain sockets: replies that get lost, connections that arrive twice, and the end."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable

import pytest
import uvloop

from runtime.testing.processes.dialler import Diallers
from runtime.testing.processes.lane import HELD_BYTES_MAX, Lane, Way
from runtime.testing.processes.proxy import ProxiedLink, Proxy
from tests.unit.testing.processes.echo import WITHIN_S, Target, ask, dial, is_broken, until


async def test_a_swallowed_reply_never_comes_and_the_connection_breaks(
    proxy: Proxy, target: Target, link: ProxiedLink
) -> None:
    reader, writer = await dial(proxy)
    assert await ask((reader, writer), b"before") == b"BEFORE"
    link.swallow_replies(then_break_s=0.05)
    writer.write(b"the request")
    assert await is_broken(reader)
    assert target.heard[0] == b"beforethe request"
    assert link.back.swallowed_bytes == len(b"the request")
    link.heal()
    again = await dial(proxy)
    assert await ask(again, b"again") == b"AGAIN"
    for one in (writer, again[1]):
        one.close()


async def test_a_connection_that_lost_bytes_never_goes_on_even_if_the_link_is_healed_first(
    proxy: Proxy, link: ProxiedLink
) -> None:
    reader, writer = await dial(proxy)
    link.swallow_replies(then_break_s=2.0)  # and "two" goes there and back in less
    writer.write(b"one")
    await until(lambda: link.back.swallowed_bytes == 3)
    link.heal()
    writer.write(b"two")
    assert await is_broken(reader)
    assert link.back.swallowed_bytes == 6
    writer.close()


async def test_a_duplicated_connection_arrives_twice_and_is_answered_once(
    proxy: Proxy, target: Target, link: ProxiedLink
) -> None:
    link.duplicates = True
    streams = await dial(proxy)
    assert await ask(streams, b"pay") == b"PAY"
    await until(lambda: target.heard == [b"pay", b"pay"])
    streams[1].write(b" again")
    async with asyncio.timeout(WITHIN_S):
        assert await streams[0].readexactly(6) == b" AGAIN"
    streams[1].write_eof()
    async with asyncio.timeout(WITHIN_S):
        assert await streams[0].read() == b""
    await until(lambda: target.heard == [b"pay again", b"pay again"])
    assert (link.counts.accepted, link.counts.mirrored, link.counts.mirrors_broken) == (1, 1, 0)
    streams[1].close()


async def test_a_connection_made_before_is_not_duplicated(proxy: Proxy, target: Target, link: ProxiedLink) -> None:
    streams = await dial(proxy)
    await ask(streams, b"one")
    link.duplicates = True
    await ask(streams, b"two")
    assert target.heard == [b"onetwo"]
    streams[1].close()


async def test_a_mirror_whose_target_does_not_keep_up_is_broken_off_and_the_original_goes_on() -> None:
    """The second connection is never read from; the first takes everything."""
    heard = 0
    tasks: list[asyncio.Task[None]] = []
    stalled = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            if len(tasks) == 2:
                await stalled.wait()
            while data := await reader.read(65536):
                heard += len(data)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with Proxy(f"{host}:{port}") as proxy:
        proxy.link().duplicates = True
        _, writer = await dial(proxy)
        await until(lambda: len(tasks) == 2)
        size = HELD_BYTES_MAX * 6
        writer.write(b"x" * size)
        await until(lambda: heard == size)
        await until(lambda: proxy.link().counts.mirrors_broken == 1)
        writer.close()
        stalled.set()
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_links_are_told_apart_by_who_dials_and_only_the_one_meant_is_cut(target: Target) -> None:
    names = iter(("sales", "billing", "sales"))
    async with Proxy(await target.start(), who=lambda port: next(names)) as proxy:
        sales, billing = await dial(proxy), await dial(proxy)
        await ask(sales, b"s")
        await ask(billing, b"b")
        proxy.link("sales").cut()
        assert await is_broken(sales[0])
        assert await ask(billing, b"still here") == b"STILL HERE"
        late = await dial(proxy)
        assert await is_broken(late[0])
        for _, writer in (sales, billing, late):
            writer.close()


async def test_closing_breaks_everything_also_what_is_frozen(target: Target) -> None:
    async with Proxy(await target.start()) as proxy:
        frozen = await dial(proxy)
        await ask(frozen, b"hello")
        proxy.link().there.freeze()
        frozen[1].write(b"more")
    assert await is_broken(frozen[0])
    with pytest.raises(OSError, match="Connect"):
        await dial(proxy)
    frozen[1].close()


async def test_the_process_that_dialled_is_found_by_its_port() -> None:
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    pids = {"nobody": 1 << 22, "we": os.getpid()}
    with socket.create_connection((host, port)) as dialled:
        own = dialled.getsockname()[1]
        assert Diallers(lambda: pids).name_of(own) == "we"
        assert Diallers(dict[str, int]).name_of(own) == ""
    assert Diallers(lambda: pids).name_of(1) == ""
    server.close()


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def test_a_side_that_is_closed_already_breaks_the_connection_on_every_kind_of_loop(run: Callable[..., None]) -> None:
    """What a closed transport does with a write is up to the loop: nothing, or an error of its own."""

    async def scenario() -> None:
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.transport.abort()
        for data in (b"more", b""):
            reader = asyncio.StreamReader()
            reader.feed_data(data)
            reader.feed_eof()
            lane = Lane(reader, writer, Way(), break_off=lambda: None)
            if data:
                with pytest.raises(ConnectionResetError):
                    await lane.run()
            else:
                await lane.run()
        server.close()

    run(scenario())
