"""How one setting is read: a value from whatever source, text or number, becomes the typed one, or is refused.

    text of the environment, value of a file or flag, timedelta of a program ──▶ Rule.read ──▶ the value, or ValueError

The error says what is allowed, in words that go on after "the setting is wrong: ".
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol, TypeVar

__all__ = [
    "COUNT_MAX",
    "DAY_S",
    "Count",
    "Names",
    "OneOf",
    "Rule",
    "Seconds",
    "Share",
    "Some",
    "Text",
    "rule_of",
    "setting",
]

DAY_S = 86_400.0
COUNT_MAX = 1_000_000
_SPAN_MAX_S = 100 * 365.25 * DAY_S  # a hundred years can be added to any clock
_RULE = "rule"
_N = TypeVar("_N", int, float)


class Rule(Protocol):
    """What a setting may be."""

    def read(self, value: object) -> object:
        """The checked value. Raises ValueError, which says what is allowed."""
        ...


@dataclass(frozen=True, slots=True)
class Seconds:
    """A duration above 0, or also 0 where that means at once."""

    or_zero: bool = False

    def read(self, value: object) -> float:
        allowed = "a number of seconds" + (" that is 0 or more" if self.or_zero else " greater than 0")
        if isinstance(value, timedelta):
            value = value.total_seconds()
        seconds = _number(value, float, allowed)
        if not math.isfinite(seconds):
            raise ValueError(f"must be {allowed}, and finite")
        if seconds < 0 or (seconds == 0 and not self.or_zero):
            raise ValueError(f"must be {allowed}")
        if seconds > _SPAN_MAX_S:
            raise ValueError(f"must be at most {_SPAN_MAX_S:.0f} seconds, which is a hundred years")
        return seconds


@dataclass(frozen=True, slots=True)
class Count:
    """A whole number from `least` to `most`, of bytes where the unit says so."""

    least: int = 1
    most: int = COUNT_MAX
    unit: str = ""

    def read(self, value: object) -> int:
        allowed = f"a whole number{self.unit and f' of {self.unit}'} from {self.least} to {self.most}"
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, float):
            raise ValueError(f"must be {allowed}")
        count = _number(value, int, allowed)
        if not self.least <= count <= self.most:
            raise ValueError(f"must be {allowed}")
        return count


@dataclass(frozen=True, slots=True)
class Text:
    """A text that `check` takes; it raises ValueError for another."""

    check: Callable[[str], object]

    def read(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("must be a text, such as one in quotes")
        self.check(value)
        return value


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few words, in any case of letters."""

    words: tuple[str, ...]

    def read(self, value: object) -> str:
        if isinstance(value, str) and value.lower() in self.words:
            return value.lower()
        *first, last = (repr(word) for word in self.words)
        raise ValueError(f"must be {', '.join(first)} or {last}")


@dataclass(frozen=True, slots=True)
class Names:
    """Several names: a list, or one text with commas between them, as an environment variable gives it."""

    def read(self, value: object) -> tuple[str, ...]:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            return tuple(value)
        raise ValueError("must be a list of names, or a text with commas between them")


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a whole: a number from 0 to 1."""

    def read(self, value: object) -> float:
        allowed = "a number from 0 to 1"
        share = _number(value, float, allowed)
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"must be {allowed}")
        return share


@dataclass(frozen=True, slots=True)
class Some:
    """Some of a few words, or none of them."""

    words: tuple[str, ...]

    def read(self, value: object) -> tuple[str, ...]:
        names = Names().read(value)
        if strange := [place for place, name in enumerate(names, 1) if name not in self.words]:
            place = strange[0]  # What was said is shown by whoever reads settings, without a password.
            raise ValueError(f"must be some of {', '.join(self.words)}, or empty; number {place} is none of them")
        return names


def setting(default: object, rule: Rule, *, secret: bool = False) -> Any:
    """A field of a settings class. A secret one is left out where the settings are printed."""
    return dataclasses.field(default=default, metadata={_RULE: rule}, repr=not secret)


def rule_of(field: dataclasses.Field[Any]) -> Rule:
    rule: Rule = field.metadata[_RULE]
    return rule


def _number(value: object, type_: type[_N], allowed: str) -> _N:
    """`true` in a file is no number, though Python takes it for 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number, not true or false")
    if not isinstance(value, str | int | float):
        raise ValueError(f"must be {allowed}")
    try:
        return type_(value)
    except (ValueError, OverflowError):
        raise ValueError(f"must be {allowed}") from None
