"""Examines a file: SQLite's version, the log beside it, unused pages, room on the disk, and mail that waits.

Mail that waits has three checks: its age, how much there is of each kind, and which nodes refuse commands for it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw

from runtime.store.finding import (
    MAIL_MANY,
    MAIL_OLD_S,
    MUCH_MAIL_CURE,
    OLD_MAIL_CURE,
    REFUSALS_CURE,
    StoreFinding,
)
from runtime.store.sqlite.connection import connect_to_view, log_bytes, translated

__all__ = ["examine"]

_BUSY_S = 5.0
_ROOM_BYTES_MIN = 1 << 30
_UNUSED_BYTES_LARGE = 1 << 28
_OLDEST_MAIL = "select min(max(sent_at_s, due_at_s)) from mail where parked = '' and due_at_s <= ?"

_WAITING_MAIL = """
select kind, count(*) from mail where parked = '' and due_at_s <= ? group by kind order by count(*) desc, kind"""
_REFUSALS = """
select nodes.name, ? - json_extract(value, '$.refuses_since_s') as lasts_s
from nodes join meta on meta.name = 'busy/' || nodes.name || '@' || incarnation
where lease_until_s > ? and json_extract(value, '$.refuses_since_s') > 0
order by lasts_s desc"""


def examine(path: Path, log_bytes_long: int, now_s: float) -> list[StoreFinding]:
    """Every check, in a fixed order. Raises StoreError if the file cannot be read."""
    path = path.absolute()
    with translated(path):
        connection = connect_to_view(path, busy_s=_BUSY_S)
        try:
            return list(_checks(connection, path, log_bytes_long, now_s))
        finally:
            connection.close()


def _checks(connection: apsw.Connection, path: Path, log_bytes_long: int, now_s: float) -> Iterator[StoreFinding]:
    yield StoreFinding("version", f"SQLite {apsw.sqlite_lib_version()}")
    length = log_bytes(path)
    cure = "end programs that have the file open and read an old state of it: they keep the log from being cut"
    yield StoreFinding("log size", _size(length), cure if length > log_bytes_long else "")
    page, unused = (connection.pragma(name) for name in ("page_size", "freelist_count"))
    cure = "stop all nodes, and run VACUUM on the file: much of it is unused since old rows were purged"
    size = path.stat().st_size
    wasted = page * unused
    is_wrong = wasted > _UNUSED_BYTES_LARGE and wasted > size / 2
    yield StoreFinding("unused pages", f"{_size(wasted)} of {_size(size)}", cure if is_wrong else "")
    room = shutil.disk_usage(path.parent).free
    cure = "make room on the disk: a full disk refuses every commit"
    yield StoreFinding("room on the disk", _size(room), cure if room < _ROOM_BYTES_MIN else "")
    oldest_s = connection.execute(_OLDEST_MAIL, (now_s,)).get
    age_s = 0.0 if oldest_s is None else max(0.0, now_s - oldest_s)
    found = "none waits" if oldest_s is None else f"{age_s:.1f} s"
    yield StoreFinding("oldest mail", found, OLD_MAIL_CURE if age_s > MAIL_OLD_S else "")
    yield from _backlog(connection, now_s)


def _backlog(connection: apsw.Connection, now_s: float) -> Iterator[StoreFinding]:
    waiting = list(connection.execute(_WAITING_MAIL, (now_s,)))
    found = ", ".join(f"{kind} {count}" for kind, count in waiting) or "none"
    is_wrong = any(count > MAIL_MANY for _, count in waiting)
    yield StoreFinding("waiting mail", found, MUCH_MAIL_CURE if is_wrong else "")
    refusing = [f"by {node}, for {since_s:.0f} s" for node, since_s in connection.execute(_REFUSALS, (now_s, now_s))]
    yield StoreFinding("refused commands", "; ".join(refusing) or "none", REFUSALS_CURE if refusing else "")


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
