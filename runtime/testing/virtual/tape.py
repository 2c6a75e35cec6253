"""The decisions of one run, draw by draw: the run can be repeated, made smaller, and kept in a file.

    Recorder(seed) ──rolls as Dice(seed) does──▶ Tape ──Player──▶ the same run
                                                  └──some draws set to zero──▶ Player ──▶ a smaller run

A tape has a stream of draws for each purpose, with the name of its dice. Beyond the end of a stream, and in a stream
that is missing, every draw is zero, the plainest choice. So every tape is a run, whatever was cut from it. The idea is
Hypothesis's (MacIver and Donaldson, 2020).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.testing.virtual.dice import Dice

__all__ = ["BadTape", "Player", "Recorder", "Tape"]

_VERSION = 1


class BadTape(ValueError):
    """The file is no tape, or a tape of another version. The message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Tape:
    """Draws of 64 bits, by stream. The run of `seed` was recorded."""

    seed: int
    workload: str
    streams: Mapping[str, list[int]] = field(default_factory=dict)

    @property
    def decisions(self) -> int:
        """The number of draws that are not the plainest choice."""
        return sum(1 for draws in self.streams.values() for draw in draws if draw)

    def write(self, path: Path) -> None:
        streams = {name: _packed(draws) for name, draws in self.streams.items() if any(draws)}
        whole = {"amends_tape": _VERSION, "seed": self.seed, "workload": self.workload, "streams": streams}
        path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Tape:
        """Raises BadTape, OSError."""
        try:
            whole = json.loads(path.read_text(encoding="utf-8"))
            if whole["amends_tape"] != _VERSION:
                raise BadTape(f"{path} is a tape of version {whole['amends_tape']}, this build reads {_VERSION}")
            streams = {str(name): _unpacked(draws) for name, draws in whole["streams"].items()}
            return cls(int(whole["seed"]), str(whole["workload"]), streams)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise BadTape(f"{path} is no tape as `shrink` and `replay --record` write it: {error!r}") from error


class Recorder(Dice):
    """Rolls as the dice of its seed do, and keeps every draw."""

    def __init__(self, seed: int, name: str = "", streams: dict[str, list[int]] | None = None) -> None:
        super().__init__(seed, name)
        self.streams: dict[str, list[int]] = {} if streams is None else streams
        assert self._name not in self.streams, f"two dice are named {self._name}: they would roll alike"
        self._draws = self.streams[self._name] = []

    def named(self, name: str) -> Dice:
        return Recorder(0, f"{self._name}:{name}", self.streams)

    def next(self) -> int:
        draw = super().next()
        self._draws.append(draw)
        return draw


class Player(Dice):
    """Draws from a tape."""

    def __init__(self, tape: Tape, name: str | None = None) -> None:
        super().__init__(tape.seed)
        self._name = self._name if name is None else name
        self._tape = tape
        self._draws = iter(tape.streams.get(self._name, ()))

    def named(self, name: str) -> Dice:
        return Player(self._tape, f"0:{self._name}:{name}")

    def next(self) -> int:
        return next(self._draws, 0)


def _packed(draws: list[int]) -> list[int]:
    """Writes each row of zeros as one negative number, and leaves out those at the end."""
    packed: list[int] = []
    for draw in draws:
        if draw:
            packed.append(draw)
        elif packed and packed[-1] < 0:
            packed[-1] -= 1
        else:
            packed.append(-1)
    if packed and packed[-1] < 0:
        packed.pop()
    return packed


def _unpacked(packed: list[int]) -> list[int]:
    draws: list[int] = []
    for number in packed:
        if not isinstance(number, int):
            raise TypeError(f"{number!r} is no draw")
        draws.extend([0] * -number if number < 0 else [number])
    return draws
