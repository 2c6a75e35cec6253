"""An HTTP server that lives in a process of something else: it listens, answers, and goes when it is told to."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import Any

import httpx
import pytest

from runtime.adapters import system_ports
from runtime.errors import AddressInUse, InvalidSettings
from runtime.gateway.http_server import HttpServer


class Held:
    """An application whose answers wait until `go` is set."""

    def __init__(self) -> None:
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.set()
        await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"there"})


async def _get(address: str) -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://{address}/")).text


async def test_it_answers_at_the_port_that_it_tells() -> None:
    held = Held()
    held.go.set()
    server = HttpServer(held, "127.0.0.1:0", system_ports().tasks)
    await server.start()
    assert await _get(server.address) == "there"
    await server.close(0.0)
    with pytest.raises(httpx.ConnectError):
        await _get(server.address)


async def test_all_addresses_of_the_machine_share_one_port() -> None:
    held = Held()
    held.go.set()
    server = HttpServer(held, "0.0.0.0:0", system_ports().tasks)
    await server.start()
    assert await _get(f"127.0.0.1:{server.address.rpartition(':')[2]}") == "there"
    await server.close(0.0)


async def test_a_request_that_runs_may_end_within_the_grace() -> None:
    held = Held()
    server = HttpServer(held, "127.0.0.1:0", system_ports().tasks)
    await server.start()
    asking = asyncio.ensure_future(_get(server.address))
    await held.asked.wait()
    closing = asyncio.ensure_future(server.close(5.0))
    await asyncio.sleep(0)
    held.go.set()
    assert await asking == "there"
    await closing


async def test_a_request_that_never_ends_does_not_keep_the_server() -> None:
    held = Held()
    server = HttpServer(held, "127.0.0.1:0", system_ports().tasks)
    await server.start()
    asking = asyncio.ensure_future(_get(server.address))
    await held.asked.wait()
    await server.close(0.0)
    assert await asking == "Internal Server Error"


async def test_a_port_that_another_has_is_told_with_the_cure() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = HttpServer(Held(), f"127.0.0.1:{other.getsockname()[1]}", system_ports().tasks)
        with pytest.raises(AddressInUse, match="another process has this port"):
            await server.start()
        await server.close(0.0)


async def test_an_address_of_another_machine_is_refused() -> None:
    server = HttpServer(Held(), "192.0.2.1:0", system_ports().tasks)
    with pytest.raises(InvalidSettings, match=r"cannot listen on 192\.0\.2\.1:0"):
        await server.start()


async def test_signals_stay_with_the_process() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    server = HttpServer(Held(), "127.0.0.1:0", system_ports().tasks)
    await server.start()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    await server.close(0.0)
