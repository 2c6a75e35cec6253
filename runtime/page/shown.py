"""Text from the store as a page shows it: whatever it holds, it is text, and it steers neither browser nor reader.

Jinja escapes markup. Here control characters, and marks that turn the direction of writing, are spelt out.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from google.protobuf.message import Message

from runtime.observe.plain import as_plain
from runtime.operate.spans import span
from runtime.saga.drawn_text import printable

__all__ = ["STATE_CHARS_MAX", "ago", "instant", "shown", "state_text", "until"]

STATE_CHARS_MAX = 20_000
_CHARS_MAX = 2_000


def shown(text: object, chars_max: int = _CHARS_MAX) -> str:
    """One line of it; the rest of a long text is counted."""
    full = str(text)
    more = len(full) - chars_max
    return printable(full[:chars_max]) + (f"… ({more:,} characters more)" if more > 0 else "")


def instant(at_s: float) -> str:
    """In UTC, to the millisecond; as a number where no calendar has it."""
    try:
        return datetime.fromtimestamp(at_s, UTC).isoformat(sep=" ", timespec="milliseconds").replace("+00:00", " UTC")
    except (ValueError, OverflowError, OSError):
        return f"{at_s!r} s since 1970"


def ago(at_s: float, now_s: float) -> str:
    return f"{span(now_s - at_s)} ago"


def until(at_s: float, now_s: float) -> str:
    return f"in {span(at_s - now_s)}" if at_s >= now_s else f"overdue by {span(now_s - at_s)}"


def state_text(state: Message) -> tuple[str, int]:
    """A state as JSON in lines, and how many of its characters are left out."""
    full = json.dumps(as_plain(state), indent=2, ensure_ascii=False, allow_nan=True)
    lines = full[:STATE_CHARS_MAX].split("\n")
    return "\n".join(map(printable, lines)), max(0, len(full) - STATE_CHARS_MAX)
