"""The choices of a simulation, drawn from its seed. They are fast, since every callback of a run costs one.

A draw of zero always means the plainest choice: nothing happens, the first option, the shortest time. So a run whose
draws are all zero is calm, and setting draws to zero makes a failing run smaller.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

__all__ = ["Dice"]

_MASK = (1 << 64) - 1
_FRACTIONS = 1 << 53  # A fraction is one of so many.
_T = TypeVar("_T")


class Dice:
    """SplitMix64 (Steele, Lea and Flood, 2014). Dice with one seed and different names roll independently.

    They are ids and randomness of a node too, by the ports of these names.
    """

    def __init__(self, seed: int, name: str = "") -> None:
        self._name = f"{seed}:{name}"
        self._state = int.from_bytes(blake2b(self._name.encode(), digest_size=8).digest(), "big")

    def named(self, name: str) -> Dice:
        """Dice for one purpose. Rolling them changes no draw of any others."""
        return Dice(0, f"{self._name}:{name}")

    def next(self) -> int:
        """64 random bits."""
        self._state = state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
        return state ^ (state >> 31)

    def below(self, end: int) -> int:
        """A whole number in [0, end)."""
        return self.next() % end

    def fraction(self) -> float:
        """Uniform in [0, 1)."""
        return (self.next() >> 11) / _FRACTIONS

    def between(self, low: float, high: float) -> float:
        return low + (high - low) * ((self.next() >> 11) / _FRACTIONS)

    def chance(self, probability: float) -> bool:
        return probability > 0.0 and (self.next() >> 11) / _FRACTIONS >= 1.0 - probability

    def choose(self, options: Sequence[_T]) -> _T:
        return options[self.next() % len(options)]

    def some(self, options: Sequence[_T], probability: float = 0.5) -> list[_T]:
        """Takes each option with this probability: the swarm of a run."""
        return [option for option in options if self.fraction() >= 1.0 - probability]

    def keeps(self) -> bool:
        """Says whether an optional part of the run takes place. It does, unless a draw was set to zero."""
        return self.next() != 0

    def untaped(self, name: str) -> Dice:
        """Dice whose draws only have to differ. They decide nothing, so no tape has them."""
        return Dice(0, f"{self._name}:{name}")

    def new_id(self) -> bytes:
        """16 bytes."""
        return self.next().to_bytes(8, "big") + self.next().to_bytes(8, "big")
