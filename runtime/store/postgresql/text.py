"""Any text as PostgreSQL can keep it. A text there has no NUL, and everything else that UTF-8 has.

    "a\\0b"  ──kept──▶  "a\\1\\1b"  ──given──▶  "a\\0b"       \\1 itself is kept as \\1\\2

The kept texts sort as the given ones do, and begin as they do: keys are compared and cut by the server.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["given", "given_row", "kept", "kept_column"]


def kept(text: str) -> str:
    if "\0" in text or "\1" in text:
        return text.replace("\1", "\1\2").replace("\0", "\1\1")
    return text


def given(text: str) -> str:
    if "\1" in text:
        return text.replace("\1\1", "\0").replace("\1\2", "\1")
    return text


def kept_column(values: Iterable[object]) -> list[object]:
    """The values of one column as the server gets them; it may have nulls."""
    return [kept(value) if isinstance(value, str) else value for value in values]


def given_row(row: Iterable[object]) -> tuple[object, ...]:
    """The values of one row as they were given to the store."""
    return tuple(given(value) if type(value) is str and "\1" in value else value for value in row)
