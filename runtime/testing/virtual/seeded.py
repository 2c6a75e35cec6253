"""Ids and randomness drawn from a seed: the same seed gives the same run, on any machine."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["SeededIds", "SeededRandomness"]


class _Draws:
    def __init__(self, seed: int, purpose: str) -> None:
        self._key = f"{purpose}:{seed}".encode()
        self._count = 0

    def next(self) -> bytes:
        self._count += 1
        return blake2b(self._count.to_bytes(8, "big"), key=self._key, digest_size=16).digest()


class SeededIds:
    def __init__(self, seed: int) -> None:
        self._draws = _Draws(seed, "ids")

    def new_id(self) -> bytes:
        return self._draws.next()


class SeededRandomness:
    def __init__(self, seed: int) -> None:
        self._draws = _Draws(seed, "randomness")

    def fraction(self) -> float:
        """Uniform in [0, 1): 53 bits of the next draw."""
        return (int.from_bytes(self._draws.next()[:8], "big") >> 11) / (1 << 53)

    def below(self, end: int) -> int:
        """A whole number in [0, end)."""
        return int(self.fraction() * end)
