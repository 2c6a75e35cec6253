"""Facts that say the same over and over are counted instead of shown: a full disk is one line, not sixty a second.

any layer ──Fact──▶ Repeats.report ──the first, and how often it was repeated──▶ Log.report
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar

from runtime.ports import Clock, Fact, Report

__all__ = ["Repeats", "SaidAgain"]

_KINDS_MAX = 256  # told apart at a time; a fact beyond is shown as it is


@dataclass(frozen=True, slots=True)
class SaidAgain(Fact):
    """A warning or an error came again with nothing new but its numbers, and was not shown each time."""

    level: ClassVar[str] = "warning"
    fact: str
    text: str
    times: int
    within_s: float


class Repeats:
    """Shows the first of equal warnings and errors, then once in `every_s` seconds how often it came since.

    Facts are equal if they are of one class and differ in numbers only; facts of less weight pass as they are.
    """

    def __init__(self, report: Report, clock: Clock, *, every_s: float = 10.0) -> None:
        self._report = report
        self._clock = clock
        self._every_s = every_s
        self._counts: dict[tuple[object, ...], int] = {}

    def report(self, fact: Fact) -> None:
        """The Report port. Neither blocks nor raises."""
        if fact.level not in ("warning", "error"):
            self._report(fact)
            return
        texts = tuple(str(value) for value in _values(fact) if not isinstance(value, (int, float)))
        key = (type(fact), *texts)
        if key in self._counts:
            self._counts[key] += 1
            return
        self._report(fact)
        if len(self._counts) < _KINDS_MAX:
            self._counts[key] = 0
            self._clock.call_later(self._every_s, self._tell, key, type(fact).__name__, "; ".join(texts))

    def _tell(self, key: tuple[object, ...], name: str, text: str) -> None:
        times = self._counts.pop(key)
        if times:
            self._report(SaidAgain(name, text, times, self._every_s))
            self._counts[key] = 0
            self._clock.call_later(self._every_s, self._tell, key, name, text)


def _values(fact: Fact) -> list[object]:
    return [getattr(fact, field.name) for field in fields(fact)]
