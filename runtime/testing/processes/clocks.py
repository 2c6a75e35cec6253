"""The wall clock of one node process. libfaketime moves it while the process runs, where that is installed.

    WallClock.shift ──offset──▶ its file ◀──read once a second── libfaketime in the process ──▶ time(), clock_gettime()

Only the wall clock moves. The monotonic clock, by which the runtime waits, stays the machine's. libfaketime is
preloaded, so the whole process sees the shift, SQLite and gRPC too. The kernel does not see it. If a library waits
until an instant of the wall clock, it waits longer by the shift: keep shifts short. Some shifts break time.sleep().
"""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InvalidSettings

__all__ = ["READ_EVERY_S", "WallClock", "faketime_library"]

READ_EVERY_S = 1
"""A process may learn of a shift so many seconds late."""
_PLACES = (
    "/usr/lib/*/faketime/libfaketime.so.1",  # Debian, Ubuntu
    "/usr/lib*/faketime/libfaketime.so.1",  # Fedora, Arch
    "/usr/local/lib/faketime/libfaketime.so.1",
)


def faketime_library() -> Path | None:
    """The path of libfaketime; None if it is not installed. `apt-get install faketime` installs it."""
    root = Path("/")
    return next((path for place in _PLACES for path in sorted(root.glob(place.lstrip("/")))), None)


class WallClock:
    """How far one node's wall clock is off. A restarted process finds it as it was."""

    def __init__(self, file: Path) -> None:
        """Makes `file`, which belongs to this clock. Raises InvalidSettings if libfaketime is missing."""
        library = faketime_library()
        if library is None:
            raise InvalidSettings("clocks cannot be moved: libfaketime is not installed (apt-get install faketime)")
        self._file = file
        self._library = library
        self.off_s = 0.0
        self.shift(0.0)

    def shift(self, off_s: float) -> None:
        """Sets the clock so far ahead of the machine's, or behind if negative. It takes up to READ_EVERY_S."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{off_s:+.3f}\n", encoding="ascii")
        fresh.replace(self._file)  # So nobody reads it half-written.
        self.off_s = off_s

    def environment(self) -> dict[str, str]:
        """The environment of a process with this clock."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(READ_EVERY_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # The same for older versions.
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # Else timed waits for the interpreter's lock spin.
            "NO_FAKE_STAT": "1",
        }
