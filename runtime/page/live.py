"""One reader for all who look: it reads each address that is looked at, and tells which of its parts have changed.

    look ──▶ Viewer ──events──▶ a browser, which fetches the parts that are named
    the reader's task runs as long as there are viewers

A viewer keeps names of parts, and no queue. So one that is slow costs no memory, and is told of a change once. The
reader rests nine times as long as it has read. So it takes a tenth of the store's time at the most. What has just
changed is read half as often: where all moves all the time, people follow it as well, and it costs half.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from runtime.errors import AmendsError, Overloaded
from runtime.ports import Fact, Ports

__all__ = ["VIEWERS_MAX", "LiveReader", "Look", "ScreenFailed", "Viewer"]

Look: TypeAlias = Callable[[str], Awaitable[Mapping[str, str]]]
"""Gives the marks of the parts of an address. May raise AmendsError, whose text viewers are told."""

VIEWERS_MAX = 100
"""Whoever comes when so many look has a page that does not change by itself."""

_POLL_S = 1.0
_MOVING_POLL_S = 2.0  # of an address that had changed when it was read last
_REST = 9.0  # times as long as the reading took
_PING_S = 15.0


@dataclass(frozen=True, slots=True)
class ScreenFailed(Fact):
    """A screen could not be made, by a fault of the page."""

    level: ClassVar[str] = "error"

    address: str
    error: str


class Viewer:
    """One browser that looks at one address."""

    def __init__(self, address: str, seen: Mapping[str, str]) -> None:
        self.address = address
        self._seen = dict(seen)
        self._changed: dict[str, None] = {}
        self._trouble = self._told = ""  # why its address cannot be read; empty while it can
        self._ended = False
        self._news = asyncio.Event()

    def found(self, marks: Mapping[str, str]) -> bool:
        """Its address was read, and its parts have these marks: whether that is news."""
        changed = [part for part, mark in marks.items() if self._seen.get(part) != mark]
        self._seen.update(marks)
        self._changed.update(dict.fromkeys(changed))
        self._trouble = ""
        self._tell()
        return bool(changed)

    def lost(self, trouble: str) -> None:
        """Its address cannot be read now."""
        self._trouble = trouble
        self._tell()

    def end(self) -> None:
        self._ended = True
        self._news.set()

    def _tell(self) -> None:
        if self._changed or self._trouble != self._told:
            self._news.set()

    async def events(self) -> AsyncIterator[str]:
        """What to tell, as server-sent events, until the viewer is ended."""
        while not self._ended:
            with suppress(TimeoutError):
                async with asyncio.timeout(_PING_S):
                    await self._news.wait()
            self._news.clear()
            yield self._taken() or ": nothing has changed\n\n"

    def _taken(self) -> str:
        lines = []
        if self._trouble != self._told:
            lines.append(_event("store-lost" if self._trouble else "store-found", self._trouble))
        lines += [_event(f"changed-{part}", part) for part in self._changed]
        self._told = self._trouble
        self._changed.clear()
        return "".join(lines)


class LiveReader:
    """`looking` is entered for each round through all addresses. It may raise AmendsError, as a look may."""

    def __init__(self, looking: Callable[[], AbstractAsyncContextManager[Look]], ports: Ports) -> None:
        self._looking = looking
        self._ports = ports
        self._viewers: dict[Viewer, None] = {}
        self._moving_until_s: dict[str, float] = {}  # by address: until then it is not read again
        self._task: asyncio.Task[Any] | None = None
        self._closed = False

    @property
    def viewers(self) -> int:
        return len(self._viewers)

    @property
    def addresses(self) -> tuple[str, ...]:
        """At which somebody looks, those first at which somebody has looked for longest."""
        return tuple(dict.fromkeys(viewer.address for viewer in self._viewers))

    def look(self, address: str, seen: Mapping[str, str]) -> Viewer:
        """Begin to look; `seen` has the marks of what the browser shows. Raises Overloaded."""
        if self._closed or len(self._viewers) >= VIEWERS_MAX:
            raise Overloaded(f"{VIEWERS_MAX} browsers look already; this one is told of no changes")
        viewer = Viewer(address, seen)
        self._viewers[viewer] = None
        if self._task is None:
            self._task = self._ports.tasks.start(self._run(), name="the page's reader")
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """The last one who leaves ends the reading."""
        self._viewers.pop(viewer, None)
        if not self._viewers and self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """End all viewers' streams, and take no more."""
        self._closed = True
        for viewer in list(self._viewers):
            viewer.end()

    async def _run(self) -> None:
        while True:
            began_s = self._ports.clock.monotonic_s()
            due = [one for one in self.addresses if self._moving_until_s.get(one, began_s) <= began_s]
            self._moving_until_s = {one: self._moving_until_s[one] for one in self._moving_until_s if one not in due}
            await self._look_at_all(due, began_s)
            took_s = self._ports.clock.monotonic_s() - began_s
            await self._ports.clock.sleep(max(_POLL_S, took_s * _REST))

    async def _look_at_all(self, addresses: Sequence[str], now_s: float) -> None:
        if not addresses:
            return
        try:
            async with self._looking() as look:
                for address in addresses:
                    if await self._look_at(look, address):
                        self._moving_until_s[address] = now_s + _MOVING_POLL_S
        except Exception as error:  # noqa: BLE001 -- a fault must not end the reading for good
            trouble = self._trouble(error, addresses[0])
            for viewer in [one for one in self._viewers if one.address in addresses]:
                viewer.lost(trouble)

    async def _look_at(self, look: Look, address: str) -> bool:
        """Whether it has changed for anybody."""
        marks: Mapping[str, str] = {}
        trouble = ""
        try:
            marks = await look(address)
        except Exception as error:  # noqa: BLE001 -- a fault of one screen must not end the reading for all others
            trouble = self._trouble(error, address)
        has_changed = False
        for viewer in [one for one in self._viewers if one.address == address]:
            if trouble:
                viewer.lost(trouble)
            else:
                has_changed |= viewer.found(marks)
        return has_changed

    def _trouble(self, error: Exception, address: str) -> str:
        """What viewers are told; a fault of the page itself is reported."""
        if isinstance(error, AmendsError):
            return str(error)
        self._ports.report(ScreenFailed(address, repr(error)))
        return "this screen cannot be made anew, by a fault of the page"


def _event(name: str, data: str) -> str:
    line = " ".join(data.split())  # a line break would begin another field
    return f"event: {name}\ndata: {line}\n\n"
