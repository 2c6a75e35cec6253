"""The scheme `sqlite`: a file on this machine, and what its URL may set.

sqlite:///relative.db   sqlite:////absolute/path.db   sqlite:///amends.db?wait_s=30
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.ports import Ports
from runtime.setting import Count, Seconds, setting
from runtime.store.engine import StoreNotes
from runtime.store.finding import StoreFinding
from runtime.store.options import read_options, split_options
from runtime.store.port import Store
from runtime.store.sqlite.connection import CHECKPOINT_PAGES, log_bytes
from runtime.store.sqlite.copies import back_up, restore
from runtime.store.sqlite.doctor import examine
from runtime.store.sqlite.keeper import LOG_BYTES_LONG
from runtime.store.sqlite.store import SqliteStore

__all__ = ["SqliteEngine", "SqliteSettings"]

_PREFIX = "sqlite:///"


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    wait_s: float = setting(10.0, Seconds())  # for other processes, before a call is refused as StoreBusy
    checkpoint_pages: int = setting(CHECKPOINT_PAGES, Count())  # of 4 KiB in the log, before a commit moves them
    log_bytes_long: int = setting(LOG_BYTES_LONG, Count(65_536, 1 << 40, "bytes"))  # a longer log is reported


class SqliteEngine:
    def open(self, url: str, ports: Ports, *, create: bool, view: bool) -> Store:
        path, settings = _read(url)
        return SqliteStore(path, ports, create=create, view=view, **asdict(settings))

    def back_up(self, url: str, to: Path) -> int:
        return back_up(_read(url)[0], to)

    def restore(self, url: str, source: Path, ports: Ports) -> Path | None:
        return restore(_read(url)[0], source, ports.ids.new_id)

    def examine(self, url: str, ports: Ports) -> list[StoreFinding]:
        path, settings = _read(url)
        return examine(path, settings.log_bytes_long, ports.clock.now_s())

    def notes(self, url: str) -> StoreNotes:
        path, settings = _read(url)
        length = log_bytes(path)
        if length <= settings.log_bytes_long:
            return StoreNotes(length)
        text = (
            f"the log beside the store's file is {length / 1e6:.0f} MB long: something reads an old state of it; "
            "end foreign programs that have the file open"
        )
        return StoreNotes(length, (text,))


def _read(url: str) -> tuple[Path, SqliteSettings]:
    bare, options = split_options(url)
    path = bare.removeprefix(_PREFIX)
    if path == bare or not path:
        raise InvalidSettings(
            f"{url!r} is no store in a file; use sqlite:///relative.db or sqlite:////absolute/path.db"
        )
    return Path(path), read_options(options, SqliteSettings)
