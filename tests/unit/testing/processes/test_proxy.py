"""The proxy against plain sockets: each fault does what it says, and nothing else."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop

from runtime.testing.processes.dialler import Diallers
from runtime.testing.processes.lane import HELD_BYTES_MAX, Lane, Way
from runtime.testing.processes.proxy import ProxiedLink, Proxy

WITHIN_S = 30.0


class Target:
    """A server that keeps what each connection sent, and answers each chunk with the same in capitals."""

    def __init__(self) -> None:
        self.heard: list[bytearray] = []  # by connection, in the order they came
        self.ended: list[bool] = []  # whether it was ended, rather than broken
        self.over = 0  # connections that were ended or broken
        self.reads = asyncio.Event()
        self.reads.set()
        self.address = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = ":".join(map(str, self._server.sockets[0].getsockname()))
        return self.address

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        number = len(self.heard)
        self.heard.append(bytearray())
        self.ended.append(False)
        try:
            while await self.reads.wait() and (data := await reader.read(65536)):
                self.heard[number] += data
                writer.write(data.upper())
            self.ended[number] = True
        except OSError:
            pass
        finally:
            self.over += 1
            writer.close()


async def until(check: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not check():
            await asyncio.sleep(0.001)


async def dial(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = proxy.address.rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def ask(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], data: bytes) -> bytes:
    reader, writer = streams
    writer.write(data)
    async with asyncio.timeout(WITHIN_S):
        return await reader.readexactly(len(data))


async def go_there_and_back(target: Target) -> None:
    """By a way on which nothing is wrong. What was sent to the target before it, and may pass, has arrived by then."""
    async with Proxy(target.address) as other:
        streams = await dial(other)
        assert await ask(streams, b"meanwhile") == b"MEANWHILE"
        streams[1].close()


async def is_broken(reader: asyncio.StreamReader) -> bool:
    """Whether the connection ends by a reset."""
    async with asyncio.timeout(WITHIN_S):
        try:
            await reader.read()
        except ConnectionResetError:
            return True
    return False


@pytest.fixture
async def target() -> AsyncIterator[Target]:
    server = Target()
    yield server
    await server.close()


@pytest.fixture
async def proxy(target: Target) -> AsyncIterator[Proxy]:
    async with Proxy(await target.start()) as proxy:
        yield proxy


@pytest.fixture
def link(proxy: Proxy) -> ProxiedLink:
    return proxy.link()


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
