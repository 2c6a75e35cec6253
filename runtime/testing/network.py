"""Links between nodes of one process, which a test can cut and hold.

    a's transport ──dial──▶ MemoryNetwork ──accept──▶ b          two pipes, one each way
    test ──cut, hold──▶     MemoryNetwork                        by direction: who sends, and to whom

Links behave as those over gRPC: frames arrive in order and whole, a sender waits while its pipe is full, a failed
dial shows on first use, and closing ends both sides' waits.
"""

from __future__ import annotations

import asyncio
from collections import deque

from runtime.errors import AddressInUse, LinkLost, NobodyListens
from runtime.ports import Accept, Link, Ports

__all__ = ["MemoryLink", "MemoryListener", "MemoryNetwork", "MemoryTransport"]

_PIPE_BYTES_MAX = 1024 * 1024


class MemoryNetwork:
    """All machines of a test. An address is any text; a node dials from the address that it listens on."""

    def __init__(self, *, pipe_bytes_max: int = _PIPE_BYTES_MAX) -> None:
        self.pipe_bytes_max = pipe_bytes_max
        self._listeners: dict[str, MemoryListener] = {}
        self._links: dict[MemoryLink, None] = {}  # dialling ends
        self._cut: dict[tuple[str, str], None] = {}
        self._held: dict[tuple[str, str], None] = {}

    # --- for nodes ---

    def transport(self, address: str) -> MemoryTransport:
        """What the node at this address dials with."""
        return MemoryTransport(self, address)

    def listen(self, address: str, accept: Accept, ports: Ports) -> MemoryListener:
        """Raises AddressInUse."""
        if address in self._listeners:
            raise AddressInUse(f"{address} is taken in this network")
        listener = self._listeners[address] = MemoryListener(self, address, accept, ports)
        return listener

    # --- for tests ---

    def cut(self, a: str, b: str) -> None:
        """Break the links between two addresses, frames under way included; dialling fails until they are joined."""
        self._cut[a, b] = self._cut[b, a] = None
        for link in self._between(a, b):
            link.tear()

    def join(self, a: str, b: str) -> None:
        """Undo `cut`."""
        self._cut.pop((a, b), None)
        self._cut.pop((b, a), None)

    def hold(self, source: str, target: str) -> None:
        """Keep what is sent from one address to the other, as if on a very slow line; nobody is told."""
        self._held[source, target] = None
        self._hold_pipes(source, target, held=True)

    def release(self, source: str, target: str) -> None:
        """Undo `hold`: what was kept arrives."""
        self._held.pop((source, target), None)
        self._hold_pipes(source, target, held=False)

    def links(self) -> list[tuple[str, str]]:
        """(dialler, listener) of every open link, oldest first."""
        return [(link.local, link.remote) for link in self._links]

    # --- for its parts ---

    def connect(self, source: str, target: str) -> MemoryLink:
        listener = self._listeners.get(target)
        out, back = self._pipe(source, target), self._pipe(target, source)
        link = MemoryLink(self, source, target, incoming=back, outgoing=out)
        if listener is None:
            link.fail(NobodyListens(f"nobody listens on {target}"))
        elif (source, target) in self._cut:
            link.fail(LinkLost(f"{target} cannot be reached from {source}"))
        else:
            self._links[link] = None
            listener.serve(MemoryLink(self, target, source, incoming=out, outgoing=back))
        return link

    def forget(self, link: MemoryLink) -> None:
        self._links.pop(link, None)

    def unlisten(self, address: str) -> None:
        self._listeners.pop(address, None)

    def _pipe(self, source: str, target: str) -> _Pipe:
        return _Pipe(self.pipe_bytes_max, held=(source, target) in self._held)

    def _between(self, a: str, b: str) -> list[MemoryLink]:
        return [link for link in self._links if {link.local, link.remote} == {a, b}]

    def _hold_pipes(self, source: str, target: str, *, held: bool) -> None:
        for link in self._between(source, target):
            (link.outgoing if link.local == source else link.incoming).hold(held)


class MemoryTransport:
    """The transport port of one node."""

    def __init__(self, network: MemoryNetwork, address: str) -> None:
        self._network = network
        self._address = address

    async def dial(self, address: str) -> Link:
        return self._network.connect(self._address, address)

    async def close(self) -> None:
        """Nothing to let go of: links are closed by those who dialled them."""


class MemoryListener:
    """The listener port of one node."""

    def __init__(self, network: MemoryNetwork, address: str, accept: Accept, ports: Ports) -> None:
        self._network = network
        self._accept = accept
        self._ports = ports
        self._links: dict[MemoryLink, None] = {}
        self.address = address

    async def close(self, grace_s: float) -> None:
        """End all streams now."""
        self._network.unlisten(self.address)
        for link in list(self._links):
            await link.close()

    def serve(self, link: MemoryLink) -> None:
        self._links[link] = None
        self._ports.tasks.start(self._serve(link), name=f"link from {link.remote}")

    async def _serve(self, link: MemoryLink) -> None:
        try:
            await self._accept(link)
        finally:
            self._links.pop(link, None)
            await link.close()


class _Pipe:
    """One direction of a link."""

    def __init__(self, bytes_max: int, *, held: bool) -> None:
        self._bytes_max = bytes_max
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._held = held
        self._waiters: deque[asyncio.Future[None]] = deque()  # one reader and one writer at the most
        self._ended = False  # by its writer: what is in it still arrives
        self._error: LinkLost | None = None  # for both ends

    async def put(self, frame: bytes) -> None:
        self._check()
        self._frames.append(frame)
        self._bytes += len(frame)
        self._wake()
        while self._bytes > self._bytes_max:
            await self._wait()
            self._check()

    async def get(self) -> bytes | None:
        while self._error is None and (self._held or not (self._frames or self._ended)):
            await self._wait()
        if self._error is not None:
            raise self._error
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        self._wake()
        return frame

    def hold(self, held: bool) -> None:
        self._held = held
        self._wake()

    def end(self) -> None:
        self._ended = True
        self._wake()

    def fail(self, error: LinkLost) -> None:
        self._error = self._error or error
        self._wake()

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        if self._ended:
            raise LinkLost("the link was closed on this side")

    async def _wait(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)


class MemoryLink:
    """One end of a link."""

    def __init__(self, network: MemoryNetwork, local: str, remote: str, *, incoming: _Pipe, outgoing: _Pipe) -> None:
        self._network = network
        self._closed = False
        self.local = local
        self.remote = remote
        self.incoming = incoming
        self.outgoing = outgoing

    async def send(self, frame: bytes) -> None:
        await self.outgoing.put(frame)

    async def receive(self) -> bytes | None:
        return await self.incoming.get()

    async def close(self) -> None:
        """What was sent still arrives; what comes from the other side does not, and its next send fails."""
        if not self._closed:
            self._closed = True
            self._network.forget(self)
            self.outgoing.end()
            self.incoming.fail(LinkLost(f"the link between {self.local} and {self.remote} was closed"))

    def tear(self) -> None:
        """As when the line breaks: both ends lose it, with all that is under way."""
        self._network.forget(self)
        self.fail(LinkLost(f"the link between {self.local} and {self.remote} broke"))

    def fail(self, error: LinkLost) -> None:
        self.incoming.fail(error)
        self.outgoing.fail(error)
