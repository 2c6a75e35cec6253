"""Numbers of a definition: spans of time and counts that a deployment can live with, or a refusal that names the place.

What no clock can reach is refused when the class is made: a timer set for it would fail whenever it is set.
"""

from __future__ import annotations

import math

from runtime.durable.behaviour import RetryPolicy
from runtime.durable.durations import in_seconds
from runtime.errors import InvalidDefinition

__all__ = ["COUNT_MAX", "HANDLER_TIMEOUT", "SPAN_MAX_S", "check_count", "check_retries", "check_span", "shown"]

SPAN_MAX_S = 100 * 365.25 * 86_400.0
"""A hundred years: longer than any process waits, and short enough to be added to any clock."""

HANDLER_TIMEOUT = "handler_timeout is a span above 0"

COUNT_MAX = 1_000_000


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


def check_retries(retries: object, where: str) -> None:
    """Raises InvalidDefinition unless a handler can be retried by this."""
    if not isinstance(retries, RetryPolicy):
        raise InvalidDefinition(f"{where}: retries are a RetryPolicy, not {shown(retries)}")
    check_count(retries.immediate, "retries.immediate is how often it runs again at once", where, least=0, most=1000)
    if not isinstance(retries.delays_s, tuple | list):
        raise InvalidDefinition(f"{where}: retries.delays is a tuple of spans, not {shown(retries.delays_s)}")
    for delay_s in retries.delays_s:
        check_span(delay_s, "each of retries.delays is finite and not below 0", where, or_none=True)
    jitter: object = retries.jitter
    if not isinstance(jitter, int | float) or isinstance(jitter, bool) or not 0 <= jitter <= 1:
        raise InvalidDefinition(f"{where}: retries.jitter is a share from 0 to 1, not {shown(jitter)}")
    check_span(retries.timer_pause_s, "retries.timer_pause is finite and not below 0", where, or_none=True)
    check_span(retries.handler_timeout_s, HANDLER_TIMEOUT, where, or_none=True)


def shown(value: object) -> str:
    """The value as it was written, and no more of it than a line."""
    if isinstance(value, int) and abs(value) > 10**30:
        return f"a number of about {math.floor(math.log10(abs(value)))} digits"
    return repr(value)[:80]
