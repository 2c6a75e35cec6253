"""Screens at which several people look: each is read and drawn once for all of them, whenever the reader looks at it.

    LiveReader ──look──▶ SharedScreens ──the marks of its parts──▶ viewers, whose browsers fetch what has changed
    a browser  ──part──▶ SharedScreens ──as it was drawn for all, or read and drawn for this one alone

What is kept was drawn for one right, to act or only to read, and goes only to those who have the same. Of a screen that
says more of whoever looks (`Screen.is_for_all`) nothing is kept. A look begins by forgetting what the look before it
has kept. So a browser that is told of a change never fetches what was there before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from runtime.operate.dead_letters import NotFound
from runtime.page.desk import PageDesk
from runtime.page.drawing import Drawing, marks_of
from runtime.page.links import read_address
from runtime.page.screens import read_screen

__all__ = ["SharedScreens"]


@dataclass(slots=True)
class _Look:
    """One look at one address, and its live parts by whether they are for people who may act."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)  # while somebody reads and draws for all
    is_for_all: bool = True  # as long as nobody knows better
    drawn: dict[bool, Mapping[str, str]] = field(default_factory=dict)


class SharedScreens:
    """Keeps what the last look at each address has drawn, until the next look at it or `keep_only`."""

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing
        self._looks: dict[str, _Look] = {}

    async def look(self, desk: PageDesk, address: str) -> Mapping[str, str]:
        """The marks of the parts that an address shows now. Raises AmendsError; then nothing is kept of it."""
        look = self._looks[address] = _Look()
        try:
            async with look.lock:
                return marks_of(await self._read(look, desk, address))
        except BaseException:
            self._looks.pop(address, None)
            raise

    async def part(self, desk: PageDesk, address: str, name: str) -> str:
        """HTML of one part. Raises NotFound where the address does not show it, and AmendsError."""
        look = self._looks.get(address)
        if look is None or not look.is_for_all:
            parts = await self._read(_Look(), desk, address)
        else:
            async with look.lock:
                parts = look.drawn.get(desk.acting is not None) or await self._read(look, desk, address)
        if name not in parts:
            raise NotFound(f"{address} does not show {name!r}, or no longer does")
        return self._drawing.section(address, name, parts[name])

    def keep_only(self, addresses: Collection[str]) -> None:
        """Forget the others: nobody looks at them any more."""
        self._looks = {address: look for address, look in self._looks.items() if address in addresses}

    async def _read(self, look: _Look, desk: PageDesk, address: str) -> Mapping[str, str]:
        screen = await read_screen(desk, read_address(address))
        parts = self._drawing.parts(screen)
        look.is_for_all = screen.is_for_all
        if screen.is_for_all:
            look.drawn[desk.acting is not None] = parts
        return parts
