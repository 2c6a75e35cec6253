"""Spans of time as authors write them: a timedelta, `seconds(30)` or `minutes(5)`, or a plain number of seconds.

A definition whose spans or counts no deployment can live with is refused when its class is made, with its place: a
timer for a time that no clock can reach would fail whenever it is set.
"""

from __future__ import annotations

import inspect
import math
import numbers
from collections.abc import Callable
from dataclasses import is_dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from runtime.errors import InvalidDefinition

__all__ = [
    "COUNT_MAX",
    "SPAN_MAX_S",
    "Span",
    "check_count",
    "check_span",
    "days",
    "hours",
    "in_seconds",
    "minutes",
    "seconds",
    "shown",
]

Span = timedelta | float
"""A number is one of seconds."""

SPAN_MAX_S = 100 * 365.25 * 86_400.0
"""A hundred years: longer than any process waits, and short enough to be added to any clock."""

COUNT_MAX = 1_000_000

_SHOWN_MAX = 5  # values of a tuple, in an error


def seconds(count: float) -> timedelta:
    """So many seconds."""
    return _span("seconds", count, lambda count: timedelta(seconds=count))


def minutes(count: float) -> timedelta:
    """So many minutes."""
    return _span("minutes", count, lambda count: timedelta(minutes=count))


def hours(count: float) -> timedelta:
    """So many hours."""
    return _span("hours", count, lambda count: timedelta(hours=count))


def days(count: float) -> timedelta:
    """So many days, each of 24 hours."""
    return _span("days", count, lambda count: timedelta(days=count))


def in_seconds(span: Any) -> Any:
    """The seconds of a timedelta; anything else as it is, for a check to look at."""
    return span.total_seconds() if isinstance(span, timedelta) else span


def check_span(span: object, rule: str, where: str, *, or_none: bool = False) -> None:
    """Raises InvalidDefinition with the rule unless this is above 0, or 0 for none, and up to a hundred years."""
    seconds = in_seconds(span)
    is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if is_number and isinstance(seconds, int | float) and 0 <= seconds <= SPAN_MAX_S and (seconds > 0 or or_none):
        return
    cure = "; at most a hundred years" if is_number else "; write a number of seconds, such as 30, or minutes(5)"
    raise InvalidDefinition(f"{where}: {rule}, not {shown(seconds)}{' s' if is_number else ''}{cure}")


def check_count(count: object, rule: str, where: str, *, least: int, most: int = COUNT_MAX) -> None:
    """Raises InvalidDefinition with the rule unless this is a whole number from `least` to `most`."""
    if not isinstance(count, int) or isinstance(count, bool) or not least <= count <= most:
        raise InvalidDefinition(f"{where}: {rule}, not {shown(count)}; a whole number, at most {most:,}")


def shown(value: object) -> str:
    """The value as its author knows it, and no more of it than a line: of classes and functions the name."""
    if isinstance(value, int) and abs(value) > 10**30:
        return f"a number of about {math.floor(math.log10(abs(value)))} digits"
    if isinstance(value, tuple | list) and type(value) in (tuple, list):
        inside = ", ".join(map(shown, value[:_SHOWN_MAX])) + (", ..." if len(value) > _SHOWN_MAX else "")
        return f"({inside})" if isinstance(value, tuple) else f"[{inside}]"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} bytes"
    name = getattr(value, "__name__", None)
    if isinstance(value, type) or (isinstance(name, str) and callable(value) and inspect.isroutine(value)):
        return str(name)
    text = repr(value)
    is_record = is_dataclass(value) or text.startswith("<") or "\n" in text
    return f"a {type(value).__name__}" if is_record else text[:80]


def _span(name: str, count: object, made: Callable[[float], timedelta]) -> timedelta:
    """Raises InvalidDefinition for what is no number, or one that no clock can reach."""
    if type(count) is bool or not isinstance(count, numbers.Real | Decimal):
        hint = "; it is one already" if isinstance(count, timedelta) else ""
        raise InvalidDefinition(f"{name}({shown(count)}): a duration is made of a number{hint}")
    try:
        return made(float(count))
    except (OverflowError, ValueError) as error:
        raise InvalidDefinition(f"{name}({count!r:.40}): a duration is finite, and at most a hundred years") from error
