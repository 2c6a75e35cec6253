"""The simulated network: its links are slow, torn, cut, held in one direction, clogged, or answered by nobody.

    a's transport ──dial──▶ SimNetwork ──accept──▶ b            two wires, one each way
    storm, a test ──hold, tear, cut, deafen, lose──▶ SimNetwork  by direction: who sends, and to whom

Frames are bytes, and a stream behaves as one over TCP does. Frames arrive whole and in order, or the stream breaks. A
sender waits while its wire is full. Held frames may still arrive after a long time. A side learns only by a broken
stream that the other is gone; it may learn this late, or never.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context

from runtime.errors import AddressInUse, LinkLost, PortClosed
from runtime.ports import Accept, Link, Tasks
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.link import Direction, SimLink, Wire
from runtime.testing.virtual.loop import check_alive

__all__ = ["SimListener", "SimNetwork", "SimTransport"]

_WIRE_BYTES_MAX = 64 * 1024
_NOTICE_S = 0.3  # One side sees within this that its stream broke.


class SimNetwork:
    """The network of all machines of a run. Any text is an address."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dice: Dice,
        carried: Callable[[str, str, bytes], object],
        *,
        wire_bytes_max: int = _WIRE_BYTES_MAX,
    ) -> None:
        self.loop = loop
        self.delay_s = (0.0002, 0.002)  # The least and the greatest delay of a frame.
        self.notice_s = _NOTICE_S  # The reader of a torn stream sees within this that it broke.
        self.wire_bytes_max = wire_bytes_max  # Beyond so many bytes under way in one direction the sender waits.
        self._carried = carried  # It hears of every frame: source, target, bytes.
        self._dice = dice
        self._listeners: dict[str, SimListener] = {}
        self._links: dict[SimLink, None] = {}  # The dialler's end of each stream.
        self._held: dict[Direction, None] = {}
        self._cut: dict[Direction, None] = {}
        self._slow: dict[Direction, float] = {}  # Delays are so many times as long.
        self._dark: dict[str, None] = {}  # Nothing at all answers at these addresses.
        self._deaf: dict[str, None] = {}  # These addresses accept connections, and nobody reads.

    # --- for nodes ---

    def transport(self, address: str) -> SimTransport:
        return SimTransport(self, address)

    def listen(self, address: str, accept: Accept, tasks: Tasks) -> SimListener:
        """Raises AddressInUse."""
        if address in self._listeners:
            raise AddressInUse(f"{address} is taken")
        self._dark.pop(address, None)
        listener = self._listeners[address] = SimListener(self, address, accept, tasks)
        return listener

    def connect(self, source: str, target: str) -> SimLink:
        out, back = Wire(self, (source, target)), Wire(self, (target, source))
        link = SimLink(self, source, target, incoming=back, outgoing=out)
        listener = self._listeners.get(target)
        if target in self._dark:
            return link
        if listener is None:
            self.later(0.0, link.fail, PortClosed(f"nobody listens on {target}"))
            return link
        if (source, target) in self._cut:
            self.later(0.0, link.fail, LinkLost(f"{target} cannot be reached from {source}"))
            return link
        self._links[link] = None
        if target not in self._deaf:
            listener.serve(SimLink(self, target, source, incoming=out, outgoing=back))
        return link

    # --- for the storm, and for tests ---

    def hold(self, direction: Direction) -> None:
        """Lets nothing through in this direction. Nobody is told."""
        self._held[direction] = None

    def release(self, direction: Direction) -> None:
        """Undoes `hold`: held frames arrive."""
        self._held.pop(direction, None)
        for link in list(self._links):
            for wire in (link.incoming, link.outgoing):
                if wire.direction == direction:
                    wire.wake()

    def cut(self, a: str, b: str) -> None:
        """Breaks the streams between two addresses. Frames under way are lost, and dialling fails until `join`."""
        self._cut[a, b] = self._cut[b, a] = None
        self._break_between(a, b, _NOTICE_S)

    def join(self, a: str, b: str) -> None:
        """Undoes `cut`."""
        self._cut.pop((a, b), None)
        self._cut.pop((b, a), None)

    def slow(self, direction: Direction, times: float) -> None:
        """Makes delays in this direction so many times as long; 1 undoes it."""
        self._slow[direction] = times

    def deafen(self, address: str) -> None:
        """The machine at this address accepts streams, but no process takes them."""
        self._deaf[address] = None

    def undeafen(self, address: str) -> None:
        """Undoes `deafen`, for streams that are dialled from now on."""
        self._deaf.pop(address, None)

    def heal(self) -> None:
        """Undoes all of the above."""
        self._deaf.clear()
        self._slow.clear()
        self._cut.clear()
        for direction in list(self._held):
            self.release(direction)

    def tear(self, a: str, b: str) -> None:
        """Breaks the streams between two addresses. Each side sees it after a while, and reads on until then."""
        self._break_between(a, b, self.notice_s)

    def lose(self, address: str, *, dark: bool) -> None:
        """The process there is gone. Its kernel ends its streams, unless the whole machine is `dark`."""
        self._listeners.pop(address, None)
        if dark:
            self._dark[address] = None
        for link in [link for link in self._links if address in (link.local, link.remote)]:
            self._links.pop(link, None)
            if not dark:
                self._break(link, _NOTICE_S)

    @property
    def streams(self) -> list[Direction]:
        """The dialler and the listener of every open stream, oldest first."""
        return [(link.local, link.remote) for link in self._links]

    # --- for its parts ---

    def is_held(self, direction: Direction) -> bool:
        return direction in self._held

    def arrival_s(self, direction: Direction, frame: bytes) -> float:
        """The instant at which a frame arrives that is sent now."""
        self._carried(direction[0], direction[1], frame)
        low, high = self.delay_s
        return self.loop.time() + self._dice.between(low, high) * self._slow.get(direction, 1.0)

    def later(self, delay_s: float, callback: Callable[..., object], *arguments: object) -> None:
        """Calls back later, whichever process is alive then."""
        self.loop.call_later(delay_s, callback, *arguments, context=Context())

    def forget(self, link: SimLink) -> None:
        self._links.pop(link, None)

    def unlisten(self, address: str) -> None:
        self._listeners.pop(address, None)

    def _break_between(self, a: str, b: str, notice_s: float) -> None:
        for link in [link for link in self._links if {link.local, link.remote} == {a, b}]:
            self._links.pop(link, None)
            self._break(link, notice_s)

    def _break(self, link: SimLink, notice_s: float) -> None:
        """The writer learns of it soon. Frames under way may still be read, until the reader notices too."""
        error = LinkLost(f"the stream between {link.local} and {link.remote} broke")
        for wire in (link.incoming, link.outgoing):
            self.later(self._dice.between(0.0, _NOTICE_S), wire.refuse, error)
            self.later(self._dice.between(0.0, notice_s), wire.fail, error)


class SimTransport:
    """The transport port of one node."""

    def __init__(self, network: SimNetwork, address: str) -> None:
        self._network = network
        self._address = address

    async def dial(self, address: str) -> Link:
        check_alive()
        return self._network.connect(self._address, address)

    async def close(self) -> None:
        """Nothing is left to close: whoever dialled a link closes it."""


class SimListener:
    """The address at which peers dial one node."""

    def __init__(self, network: SimNetwork, address: str, accept: Accept, tasks: Tasks) -> None:
        self._network = network
        self._accept = accept
        self._tasks = tasks
        self._links: dict[SimLink, None] = {}
        self.address = address

    async def close(self, grace_s: float) -> None:
        """Ends all streams now."""
        self._network.unlisten(self.address)
        for link in list(self._links):
            await link.close()

    def serve(self, link: SimLink) -> None:
        self._links[link] = None
        self._tasks.start(self._serve(link), name=f"link from {link.remote}")

    async def _serve(self, link: SimLink) -> None:
        try:
            await self._accept(link)
        finally:
            self._links.pop(link, None)
            await link.close()
