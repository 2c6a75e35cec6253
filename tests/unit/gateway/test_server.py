"""What only a real server can get wrong: ports, sizes, calls beside the streams."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import pytest

from runtime.adapters import system_ports
from runtime.errors import AddressInUse, InvalidSettings, LinkLost
from runtime.gateway.server import GrpcServer, ServerSettings
from runtime.mesh.channel import ChannelSettings, GrpcTransport
from runtime.ports import Link

LOCAL = "127.0.0.1:0"


async def echo(link: Link) -> None:
    with suppress(LinkLost):  # as the mesh does: a stream may break at any moment
        while (frame := await link.receive()) is not None:
            await link.send(frame)


@pytest.fixture
async def transport() -> AsyncIterator[GrpcTransport]:
    transport = GrpcTransport(ChannelSettings(connect_s=30.0))
    yield transport
    await transport.close()


async def test_a_taken_port_is_refused_with_the_address_and_the_cure() -> None:
    first = GrpcServer(LOCAL, system_ports())
    await first.start(echo)
    second = GrpcServer(first.address, system_ports())
    with pytest.raises(AddressInUse, match=rf"{first.address}.*listen elsewhere"):
        await second.start(echo)
    await second.close(0.0)
    await first.close(0.0)


async def test_a_port_taken_by_any_other_program_is_refused_too() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(AddressInUse):
            await GrpcServer(f"127.0.0.1:{port}", system_ports()).start(echo)


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("host", ["localhost", "both.test", "0.0.0.0", "[::]"])
async def test_one_address_of_several_that_is_taken_is_no_success(
    host: str, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _resolve_to_both(monkeypatch)
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family) as other:
        server = GrpcServer(f"{host}:{other.getsockname()[1]}", system_ports())
        with pytest.raises(AddressInUse, match="another process has this port"):
            await server.start(echo)
        await server.close(0.0)


@pytest.mark.parametrize("host", ["localhost", "both.test", "0.0.0.0", "[::]"])
async def test_a_free_port_is_one_on_all_the_addresses(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve_to_both(monkeypatch)
    server = GrpcServer(f"{host}:0", system_ports())
    await server.start(echo)
    port = int(server.address.rpartition(":")[2])
    for address in ("127.0.0.1", "::1"):
        with socket.create_connection((address, port)):
            pass
    await server.close(0.0)


async def test_an_address_that_the_machine_lacks_beside_one_that_it_has_is_a_wrong_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _resolve_to_both(monkeypatch, "192.0.2.1")
    with pytest.raises(InvalidSettings, match=r"cannot listen on both\.test:0"):
        await GrpcServer("both.test:0", system_ports()).start(echo)


def _resolve_to_both(monkeypatch: pytest.MonkeyPatch, *others: str) -> None:
    """The name both.test stands for both loopbacks."""
    real = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> list[Any]:
        if host != "both.test":
            return list(real(host, *arguments, **options))
        return [one for each in ("127.0.0.1", "::1", *others) for one in real(each, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


@pytest.mark.parametrize("listen", ["192.0.2.1:0", "no-such-host.invalid:0"])
async def test_an_address_that_is_not_ours_is_a_wrong_setting(listen: str) -> None:
    with pytest.raises(InvalidSettings, match=f"cannot listen on {listen}"):
        await GrpcServer(listen, system_ports()).start(echo)


async def test_what_is_advertised_is_the_address_from_the_start_on() -> None:
    server = GrpcServer(LOCAL, system_ports(), ServerSettings(advertise="node-1.example:7650"))
    await server.start(echo)
    assert server.address == "node-1.example:7650"
    await server.close(0.0)


async def test_the_address_has_the_real_port() -> None:
    server = GrpcServer(LOCAL, system_ports())
    assert server.address == ""
    await server.start(echo)
    host, _, port = server.address.rpartition(":")
    assert host == "127.0.0.1" and int(port) > 0
    await server.close(0.0)


async def test_without_an_address_to_advertise_a_wildcard_gives_the_machines_own() -> None:
    server = GrpcServer("0.0.0.0:0", system_ports())
    await server.start(echo)
    assert server.address.rpartition(":")[0] == socket.gethostname()
    await server.close(0.0)


async def test_a_server_that_never_started_can_be_closed() -> None:
    await GrpcServer(LOCAL, system_ports()).close(1.0)


async def test_servicers_answer_beside_the_streams_of_peers(transport: GrpcTransport) -> None:
    async def shout(request: bytes, context: object) -> bytes:
        return request.upper()

    server = GrpcServer(LOCAL, system_ports())
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(shout)
    server.grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", {"Shout": handler}),))
    await server.start(echo)
    link = await transport.dial(server.address)
    await link.send(b"x")
    async with grpc.aio.insecure_channel(server.address) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Shout")
        assert await call(b"hello") == b"HELLO"
    assert await link.receive() == b"x"
    await link.close()
    await server.close(0.0)


async def test_a_message_as_large_as_allowed_passes_in_a_frame(transport: GrpcTransport) -> None:
    server = GrpcServer(LOCAL, system_ports(), ServerSettings(message_bytes_max=64 * 1024))
    await server.start(echo)
    link = await transport.dial(server.address)
    await link.send(bytes(64 * 1024 + 1000))
    assert len(await link.receive() or b"") == 64 * 1024 + 1000
    await link.close()
    await server.close(0.0)


async def test_a_frame_beyond_every_limit_breaks_its_link_and_no_other(transport: GrpcTransport) -> None:
    server = GrpcServer(LOCAL, system_ports(), ServerSettings(message_bytes_max=1024))
    await server.start(echo)
    good, bad = await transport.dial(server.address), await transport.dial(server.address)
    with pytest.raises(LinkLost, match=r"larger than max|closed|ended|broke"):
        await bad.send(bytes(4 * 1024 * 1024))
        await bad.receive()
    await good.send(b"x")
    assert await good.receive() == b"x"
    await server.close(0.0)


async def test_closing_a_link_ends_a_read_and_a_write_that_wait(transport: GrpcTransport) -> None:
    over = asyncio.Event()
    begun = asyncio.Event()

    async def mute(link: Link) -> None:
        await over.wait()

    async def write_on_and_on(link: Link) -> None:
        while True:
            await link.send(bytes(512 * 1024))
            begun.set()

    server = GrpcServer(LOCAL, system_ports())
    await server.start(mute)
    link = await transport.dial(server.address)
    reading, writing = asyncio.create_task(link.receive()), asyncio.create_task(write_on_and_on(link))
    await begun.wait()
    await link.close()
    for task in (reading, writing):
        with pytest.raises(LinkLost):
            await task
    await link.close()
    over.set()
    await server.close(0.0)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 10])
async def test_a_link_can_be_closed_at_any_moment_before_it_is_connected(transport: GrpcTransport, steps: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never speaks HTTP/2
        link = await transport.dial(f"127.0.0.1:{silent.getsockname()[1]}")
        sending = asyncio.create_task(link.send(b"x"))
        for _ in range(steps):
            await asyncio.sleep(0)
        await link.close()
        with pytest.raises(LinkLost, match="closed on this side"):
            await sending


async def test_a_stream_ends_for_the_acceptor_when_the_dialler_is_gone(transport: GrpcTransport) -> None:
    ended = asyncio.Event()

    async def accept(link: Link) -> None:
        try:
            await echo(link)
        except LinkLost:
            pass
        ended.set()

    server = GrpcServer(LOCAL, system_ports())
    await server.start(accept)
    link = await transport.dial(server.address)
    await link.send(b"x")
    await link.receive()
    await link.close()
    await ended.wait()
    await server.close(0.0)


async def test_a_cancelled_reader_is_cancelled_and_not_told_of_a_lost_link(transport: GrpcTransport) -> None:
    server = GrpcServer(LOCAL, system_ports())
    await server.start(echo)
    link = await transport.dial(server.address)
    reading = asyncio.create_task(link.receive())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await link.close()
    await server.close(0.0)
