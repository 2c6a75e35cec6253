"""An HTTP server within a process that does something else: it takes no signals, and ends when it is told to.

application (ASGI) ──HttpServer.start──▶ uvicorn, on the loop that runs already ──▶ one port
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import uvicorn

from runtime.errors import AddressInUse, InvalidSettings
from runtime.gateway.listening import Place, is_wildcard, places_of
from runtime.ports import Tasks

__all__ = ["HttpServer"]

_BACKLOG = 128
_CONNECTIONS_MAX = 200  # more are answered 503
_KEPT_S = 5  # a connection that asks nothing is closed after that
_NO_SUCH_ADDRESS = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_END_S = 1.0  # beyond the grace, for connections to be closed


class HttpServer:
    """`start` it once, `close` it once, whether or not it has started."""

    def __init__(self, application: Any, listen: str, tasks: Tasks) -> None:
        """`application` is any ASGI application; `listen` is HOST:PORT, and port 0 takes any free one."""
        self._application = application
        self._listen = listen
        self._tasks = tasks
        self._address = ""
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """host:port, with the port that 0 became. Empty before `start`."""
        return self._address

    async def start(self) -> None:
        """Listen on all that the address means. Raises AddressInUse, InvalidSettings."""
        sockets = _bound_at(await places_of(self._listen), self._listen)
        host = self._listen.rpartition(":")[0]
        if is_wildcard(host):
            host = socket.gethostname()  # replay: a real server, which no simulated node has
        self._address = f"{host}:{_port_of(sockets[0])}"
        self._server = _Server(_config(self._application), self._tasks.new_future())
        self._serving = self._tasks.start(self._server.serve(sockets), name=f"HTTP server at {self._address}")
        await self._server.up

    async def close(self, grace_s: float) -> None:
        """Take no more requests; those that run have `grace_s` seconds, and one at least, to end by themselves."""
        if self._server is None or self._serving is None:
            return
        grace = max(1, round(grace_s))
        self._server.config.timeout_graceful_shutdown = grace
        self._server.should_exit = True
        with suppress(TimeoutError):  # then it is cancelled
            await asyncio.wait_for(self._serving, grace + _END_S)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, up: asyncio.Future[None]) -> None:
        super().__init__(config)
        self.up = up  # done when requests are taken

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process, which may be a node."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        except BaseException as error:
            self.up.set_exception(error)
            raise
        self.up.set_result(None)


def _config(application: Any) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,  # logging of the process stays as it is
        access_log=False,
        server_header=False,
        proxy_headers=False,  # it goes by what it sees
        backlog=_BACKLOG,
        limit_concurrency=_CONNECTIONS_MAX,
        timeout_keep_alive=_KEPT_S,
    )


def _bound_at(places: Sequence[Place], listen: str) -> list[socket.socket]:
    """Sockets that listen there, all at one port. A machine without IPv6 has none for its wildcard."""
    bound: list[socket.socket] = []
    try:
        for place in places:
            try:
                bound.append(_listening(place, _port_of(bound[0]) if bound else place.port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:  # since `places_of` has looked
                    raise AddressInUse(f"cannot listen on {listen}: another process has just taken the port") from error
                if error.errno not in _NO_SUCH_ADDRESS or len(places) == 1:
                    raise InvalidSettings(f"cannot listen on {listen}: {error.strerror or error}") from error
        if not bound:
            raise InvalidSettings(f"cannot listen on {listen}: this machine has no such address")
    except BaseException:
        for one in bound:
            one.close()
        raise
    return bound


def _listening(place: Place, port: int) -> socket.socket:
    made = socket.socket(place.family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if place.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((place.host, port))
        made.listen(_BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made


def _port_of(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])
