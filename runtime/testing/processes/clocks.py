"""The wall clock of one node process, moved while it runs: by libfaketime, where that is installed.

    WallClock.shift ──offset──▶ its file ◀──read once a second── libfaketime in the process ──▶ time(), clock_gettime()

Only the wall clock moves; the monotonic one, by which the runtime waits, stays the machine's. libfaketime is
preloaded, so all of the process sees the shift, SQLite and gRPC too. The kernel does not: what a library waits for
until an instant of the wall clock lasts longer by the shift, so keep shifts to seconds; and some break time.sleep().
"""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InvalidSettings

__all__ = ["READ_EVERY_S", "WallClock", "faketime_library"]

READ_EVERY_S = 1
"""How long it may take until a process knows of a shift."""
_PLACES = (
    "/usr/lib/*/faketime/libfaketime.so.1",  # Debian, Ubuntu
    "/usr/lib*/faketime/libfaketime.so.1",  # Fedora, Arch
    "/usr/local/lib/faketime/libfaketime.so.1",
)


def faketime_library() -> Path | None:
    """Where libfaketime is; None if it is not installed, as it is by `apt-get install faketime`."""
    root = Path("/")
    return next((path for place in _PLACES for path in sorted(root.glob(place.lstrip("/")))), None)


class WallClock:
    """How far one node's wall clock is off. Outlives the process: one that is restarted finds it as it was."""

    def __init__(self, file: Path) -> None:
        """`file` is made here and belongs to this clock. Raises InvalidSettings where libfaketime is missing."""
        library = faketime_library()
        if library is None:
            raise InvalidSettings("clocks cannot be moved: libfaketime is not installed (apt-get install faketime)")
        self._file = file
        self._library = library
        self.off_s = 0.0
        self.shift(0.0)

    def shift(self, off_s: float) -> None:
        """Show this much more than the machine's clock, less if negative, within READ_EVERY_S."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{off_s:+.3f}\n", encoding="ascii")
        fresh.replace(self._file)  # never read half-written
        self.off_s = off_s

    def environment(self) -> dict[str, str]:
        """What a process needs so that this is its clock."""
        return {
            "LD_PRELOAD": str(self._library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": str(READ_EVERY_S),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # the same, for older versions
            "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # else timed waits for the interpreter's lock spin
            "NO_FAKE_STAT": "1",
        }
