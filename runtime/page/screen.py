"""What one address shows: a template, and the values that it is drawn with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ROWS_MAX", "Download", "Screen"]

ROWS_MAX = 200
"""Rows of a table on one page: a browser draws so many at once, and people read no more."""


@dataclass(frozen=True, slots=True)
class Download:
    """A file that a browser saves instead of showing it."""

    name: str  # of letters, digits, hyphens, underscores and dots
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Screen:
    """Each part is a template of that name in the room's folder. Those in `live` are drawn anew when they change."""

    room: str
    title: str
    live: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    is_for_all: bool = False  # its live parts are the same for whoever has the same right: to act, or only to read
    status: int = 200  # as HTTP has it
    elsewhere: str = ""  # the address to go to instead
    download: Download | None = None  # what is answered instead of a page
