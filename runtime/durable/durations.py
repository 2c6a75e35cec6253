"""Spans of time as authors write them: a timedelta, `seconds(30)` or `minutes(5)`, or a plain number of seconds."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from runtime.errors import InvalidDefinition

__all__ = ["Span", "days", "hours", "in_seconds", "minutes", "seconds"]

Span = timedelta | float
"""A number is one of seconds."""


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


def _span(name: str, count: object, made: Callable[[float], timedelta]) -> timedelta:
    """Raises InvalidDefinition for what is no number, or one that no clock can reach."""
    if type(count) is bool or not isinstance(count, numbers.Real | Decimal):
        hint = "; it is one already" if isinstance(count, timedelta) else ""
        raise InvalidDefinition(f"{name}({count!r}): a duration is made of a number{hint}")
    try:
        return made(float(count))
    except (OverflowError, ValueError) as error:
        raise InvalidDefinition(f"{name}({count!r:.40}): a duration is finite, and at most a hundred years") from error
