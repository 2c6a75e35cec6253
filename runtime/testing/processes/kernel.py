"""What the kernel's tables say of processes: their children, and whether they have stopped or ended. Linux only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

__all__ = ["children_of", "has_ended", "is_stopped"]

_PROCESSES = Path("/proc")
_STATE, _PARENT = 0, 1  # Fields of a stat file, after the name in brackets.


def children_of(pid: int) -> list[int]:
    """The processes that `pid` has started and that have not ended, without their own children."""
    found = []
    for folder in _PROCESSES.iterdir():
        fields = _stat(folder / "stat") if folder.name.isdigit() else None
        if fields and int(fields[_PARENT]) == pid and fields[_STATE] != "Z":
            found.append(int(folder.name))
    return found


def has_ended(pid: int) -> bool:
    """Says whether a process has ended, even if nobody has asked yet how."""
    fields = _stat(_PROCESSES / str(pid) / "stat")
    return fields is None or fields[_STATE] in "ZX"


def is_stopped(pid: int) -> bool:
    """Says whether every thread of a process is stopped, or has ended."""
    return all(state in "TtZX" for state in _states(pid))


def _states(pid: int) -> Iterator[str]:
    for stat in _PROCESSES.glob(f"{pid}/task/*/stat"):
        fields = _stat(stat)
        if fields:
            yield fields[_STATE]


def _stat(file: Path) -> list[str] | None:
    """The fields after the name; None if the process or the thread has just ended."""
    try:
        return file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
