"""Instants and ages on the page. A browser may go on counting them, and time alone changes no part.

{{ at_s|moment }}       2026-11-30 12:00:00.000 UTC    local time, where the reader has chosen that
{{ age(at_s, now_s) }}  3 s ago                        the browser counts on
{{ due(at_s, now_s) }}  in 3 s, overdue by 3 s         the same

HTML of a part ──steady──▶ what its mark is made of
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

from runtime.page.shown import ago, instant, until

__all__ = ["age", "due", "moment", "steady"]

_COUNTED = re.compile(r'(<time data-(?:age|due)="[^"]*") data-now="[^"]*"([^>]*>)[^<]*')
_SPAN = re.compile(r"\b(\d+(?:\.\d+)?) (ms|s|min|h|d)\b")
_UNIT_S = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3_600.0, "d": 86_400.0}
_GROWTH = math.log(1.1)


def moment(at_s: float) -> Markup:
    """An instant to read, in UTC, with the number from which a browser makes local time."""
    return Markup(f'<time data-at="{_number(at_s)}" datetime="{_iso(at_s)}">{escape(instant(at_s))}</time>')


def age(at_s: float, now_s: float) -> Markup:
    """How long ago it was, by the clock of the store."""
    return _counted("age", at_s, now_s, ago(at_s, now_s))


def due(at_s: float, now_s: float) -> Markup:
    """How long it is until then, or has been since, by the clock of the store."""
    return _counted("due", at_s, now_s, until(at_s, now_s))


def steady(html: str) -> str:
    """The same without what time alone changes: only the instants count of those that a browser counts on.

    Other spans, which stand within sentences, count by steps of a tenth. So a sentence that says how long somebody has
    waited is fetched anew once it is wrong by that much, and not each second.
    """
    return _SPAN.sub(_step, _COUNTED.sub(r"\1\2", html))


def _counted(name: str, at_s: float, now_s: float, said: str) -> Markup:
    """Written by hand, since a list has hundreds: Markup's own formatting took a third of the time to draw it."""
    times = f'data-{name}="{_number(at_s)}" data-now="{_number(now_s)}" datetime="{_iso(at_s)}"'
    return Markup(f'<time {times} title="{escape(instant(at_s))}">{escape(said)}</time>')


def _step(found: re.Match[str]) -> str:
    seconds = float(found[1]) * _UNIT_S[found[2]]
    return f"~{math.floor(math.log(seconds) / _GROWTH) if seconds > 0 else '-'}"


def _number(at_s: float) -> str:
    return f"{at_s:.3f}"


def _iso(at_s: float) -> str:
    """As HTML wants it; empty where no calendar has it."""
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return ""
