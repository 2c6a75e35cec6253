"""Facts that say the same over and over are counted instead of shown: a full disk is one line, not sixty a second.

What differs each time (a key, an id, what a stranger has sent) is shown so often only, and then counted too.

any layer ──Fact──▶ Repeats.report ──the first, and how often it was repeated──▶ Log.report
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import ClassVar

from runtime.ports import Clock, Fact, Report

__all__ = ["Repeats", "SaidAgain"]

_TEXTS_MAX = 50  # texts of one class are told apart up to this number; all others are counted together
_OTHERS = "others of other texts"


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
        self._texts: Counter[type[Fact]] = Counter()  # of a class, told apart at present

    def report(self, fact: Fact) -> None:
        """The Report port. Neither blocks nor raises."""
        if fact.level not in ("warning", "error"):
            self._report(fact)
            return
        kind = type(fact)
        texts = tuple(str(value) for value in _values(fact) if not isinstance(value, (int, float)))
        key: tuple[object, ...] = (kind, *texts)
        if key not in self._counts and self._texts[kind] >= _TEXTS_MAX:
            key, texts = (kind, Ellipsis), (_OTHERS,)
            self._count_others(key, kind)
        if key in self._counts:
            self._counts[key] += 1
            return
        self._report(fact)
        self._texts[kind] += 1
        self._counts[key] = 0
        self._clock.call_later(self._every_s, self._tell, key, kind, "; ".join(texts))

    def _count_others(self, key: tuple[object, ...], kind: type[Fact]) -> None:
        if key not in self._counts:
            self._counts[key] = 0
            self._texts[kind] += 1
            self._clock.call_later(self._every_s, self._tell, key, kind, _OTHERS)

    def _tell(self, key: tuple[object, ...], kind: type[Fact], text: str) -> None:
        times = self._counts.pop(key)
        self._texts[kind] -= 1
        if times:
            self._report(SaidAgain(kind.__name__, text, times, self._every_s))
            self._texts[kind] += 1
            self._counts[key] = 0
            self._clock.call_later(self._every_s, self._tell, key, kind, text)


def _values(fact: Fact) -> list[object]:
    return [getattr(fact, field.name) for field in fields(fact)]
