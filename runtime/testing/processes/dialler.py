"""Finds the process at the other end of a loopback connection, in the kernel's tables on Linux.

    proxy ──the dialler's port──▶ Diallers.name_of ──/proc/net/tcp──▶ inode ──/proc/PID/fd──▶ process ──▶ name

So a proxy in front of a node can tell the links of its peers apart, although all dial the same address.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

__all__ = ["Diallers"]

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))  # gRPC dials IPv4 by sockets of both families.
_LOCAL, _INODE = 1, 9  # Columns of the tables.


class Diallers:
    """Names processes by the ports that they dial from. Without the kernel's tables every name is ""."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        """`pids` gives the processes that there are now, by name."""
        self._pids = pids

    def name_of(self, port: int) -> str:
        """The process with this local port of a TCP connection; "" if it is none of these, or has just ended."""
        inodes = {f"socket:[{inode}]" for inode in _inodes(port)}
        if not inodes:
            return ""
        return next((name for name, pid in self._pids().items() if _has_one(pid, inodes)), "")


def _inodes(port: int) -> Iterator[str]:
    """The inodes of the sockets with this local port, of any process."""
    ending = f":{port:04X}"
    for table in _TABLES:
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[_LOCAL].endswith(ending):
                yield columns[_INODE]


def _has_one(pid: int, inodes: set[str]) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        numbers = os.listdir(folder)  # noqa: PTH208 - names alone are wanted, of files that come and go
    except OSError:
        return False
    for number in numbers:
        try:
            if os.readlink(f"{folder}/{number}") in inodes:  # noqa: PTH115 - what it gives is no path
                return True
        except OSError:
            continue
    return False
