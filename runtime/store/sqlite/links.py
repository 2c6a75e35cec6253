"""The names of a store's file: a second one, by hard link or mount, would have a lock and a log of its own."""

from __future__ import annotations

import os
import re
from pathlib import Path

from runtime.errors import StoreUnavailable

__all__ = ["check_links"]

_MOUNTS = Path("/proc/self/mountinfo")
_OCTAL = re.compile(rb"\\([0-7]{3})")


def check_links(path: Path) -> None:
    """Refuse a file with two names: each would have a lock and a log of its own. Raises StoreUnavailable."""
    if str(path) in _mount_points():
        raise StoreUnavailable(
            f"{path} is mounted by itself, and its lock and log would lie beside the mount, not beside the file; "
            "mount the folder that it is in instead"
        )
    try:
        links = path.stat().st_nlink
    except OSError:
        return
    if links > 1:
        raise StoreUnavailable(
            f"{path} is one of {links} hard links to one file, and each would have its own lock and log; keep one name "
            "(`find -samefile` lists them), and use a symbolic link for another"
        )


def _mount_points() -> frozenset[str]:
    """Where something is mounted, as this process sees it; Linux only, else none."""
    try:
        lines = _MOUNTS.read_bytes().splitlines()
    except OSError:
        return frozenset()
    # "36 35 98:0 /root /mnt/a\040b rw ...": blanks, tabs, line ends and backslashes are written in octal
    fields = [line.split(b" ")[4] for line in lines if line.count(b" ") > 4]
    return frozenset(os.fsdecode(_OCTAL.sub(lambda found: bytes([int(found[1], 8)]), field)) for field in fields)
