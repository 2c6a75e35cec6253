"""Draws what a power cut makes of each write that was not flushed."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum

from runtime.testing.virtual.dice import Dice

__all__ = ["SECTOR_BYTES", "Luck", "WriteFate"]

SECTOR_BYTES = 512
"""The smallest size of a sector. A disk tears a write between two sectors, or in the middle of a sector."""

# Which share of the unflushed writes is kept whole, and which is torn. The rest is dropped.
_LUCKS = ((0.0, 0.0), (1.0, 0.0), (0.5, 0.0), (0.9, 0.1), (0.1, 0.1), (0.3, 0.6))
_HALF_SECTOR = 0.2  # How often a sector of a torn write is itself half written.


class WriteFate(StrEnum):
    KEPT = "kept"
    DROPPED = "dropped"
    TORN = "torn"


class Luck:
    """The decisions of one power cut. `seen` counts them."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._kept, self._torn = dice.choose(_LUCKS)
        self.seen: Counter[WriteFate] = Counter()

    def write_fate(self) -> WriteFate:
        roll = self._dice.fraction()
        fate = WriteFate.DROPPED
        if roll < self._kept + self._torn:
            fate = WriteFate.KEPT if roll < self._kept else WriteFate.TORN
        self.seen[fate] += 1
        return fate

    def keeps_entry(self) -> bool:
        """Whether a change of the folder, or of a file's length, is kept."""
        fate = WriteFate.KEPT if self._dice.chance(0.5) else WriteFate.DROPPED
        self.seen[fate] += 1
        return fate is WriteFate.KEPT

    def parts(self, offset: int, size: int) -> list[tuple[int, int]]:
        """The ranges [start, end) of a torn write whose bytes are kept.

        Each sector is new or old independently of the others. A sector may be half new: a disk writes it from one end
        to the other, so either its beginning or its end is new.
        """
        dice, end, kept = self._dice, offset + size, []
        start = offset
        while start < end:
            stop = min(end, (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
            if dice.chance(0.5):
                kept.append(self._half(start, stop) if dice.chance(_HALF_SECTOR) else (start, stop))
            start = stop
        return [(start - offset, stop - offset) for start, stop in kept]

    def _half(self, start: int, stop: int) -> tuple[int, int]:
        middle = start + self._dice.below(stop - start + 1)
        return (start, middle) if self._dice.chance(0.5) else (middle, stop)

    def unwritten(self, size: int, old: bytes | bytearray) -> bytes:
        """The bytes at the new end of a file that were never written: zeros, noise, or what lay on the disk before.

        `old` is such earlier content of the disk.
        """
        match self._dice.below(3):
            case 0:
                return bytes(size)
            case 1:
                return b"".join(self._dice.next().to_bytes(8, "big") for _ in range(-(-size // 8)))[:size]
            case _:
                at = self._dice.below(max(len(old) // SECTOR_BYTES, 1)) * SECTOR_BYTES
                return bytes(old[at : at + size]).ljust(size, b"\0")
