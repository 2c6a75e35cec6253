"""Nobody reads what a node's process writes, as under a pager that was left open: the node goes on all the same."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.shop import NODE

pytestmark = pytest.mark.timeout(120)

# What writes to a process's streams beside its log: gRPC's core, a handler that prints, the interpreter itself.
_WRITES = """
import os, sys, warnings
from runtime.observe.console import never_wait
if sys.argv[1] == "heeded":
    never_wait()
for number in range(10):
    print("x" * 2_000, number)
    print("x" * 2_000, number, file=sys.stderr)
    warnings.warn(f"of {number}", stacklevel=1)
try:
    os.write(2, b"of a library")
except BlockingIOError:
    pass
os._exit(7)
"""


def _filled(writing: int) -> None:
    """As full as it gets, and blocking as before."""
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"x" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(writing, True)


@pytest.fixture(params=["pipe", "socket", "terminal"])
def unread(request: pytest.FixtureRequest) -> Iterator[int]:
    """A descriptor to write to, whose reader has stalled long ago."""
    if request.param == "pipe":
        reading, writing = os.pipe()
    elif request.param == "socket":
        reading, writing = (one.detach() for one in socket.socketpair())
    else:
        reading, writing = os.openpty()
    _filled(writing)
    yield writing
    os.close(reading)
    os.close(writing)


def test_what_is_printed_to_a_reader_that_stalls_is_dropped_and_holds_up_nobody(unread: int) -> None:
    process = subprocess.Popen((sys.executable, "-c", _WRITES, "heeded"), stdout=unread, stderr=unread)
    try:
        assert process.wait(timeout=15) == 7
        assert os.get_blocking(unread) or not os.isatty(unread), "others who write to a terminal are let alone"
    finally:
        process.kill()
        process.wait()


_WRITES_ON = """
import sys
from runtime.observe.console import never_wait
never_wait()
print("x" * 1_000, file=sys.stderr)
print("begun", flush=True)
sys.stdin.readline()
print("heard again", file=sys.stderr)
"""


def test_what_was_dropped_is_told_once_the_reader_reads_again() -> None:
    reading, writing = os.pipe()
    _filled(writing)
    command = (sys.executable, "-c", _WRITES_ON)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writing)
    assert process.stdout is not None and process.stdout.readline() == b"begun\n"
    os.close(writing)
    os.read(reading, 1 << 20)
    process.communicate(b"go on\n", timeout=30)
    assert os.read(reading, 1 << 20) == b"(1001 bytes were dropped here, since nobody took them)\nheard again\n"
    os.close(reading)


def test_what_is_printed_to_a_reader_that_reads_arrives() -> None:
    done = subprocess.run((sys.executable, "-c", _WRITES, "heeded"), capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["x" * 2_000 + f" {number}" for number in range(10)]
    assert done.stderr.count("x" * 2_000) == 10
    assert "of 9" in done.stderr
    assert done.stderr.endswith("of a library")


def test_a_node_whose_grpc_core_writes_to_a_reader_that_stalls_drains_when_told(unread: int, tmp_path: Path) -> None:
    command = (*NODE, "--listen", "127.0.0.1:0", "--store", "sqlite:///s.db", "--name", "n1")
    env = {**os.environ, "GRPC_VERBOSITY": "debug", "GRPC_TRACE": "api,http"}
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=unread)
    try:
        port = _eventually(lambda: _port_in(tmp_path / "s.db"))
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
            stranger.recv(1)  # the core has answered, and traced it
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()


def _port_in(path: Path) -> int:
    """Where the node says it listens; 0 before that. Its row is the only thing of it that can be read."""
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as store:
            found = store.execute("select address from nodes").fetchone()
    except sqlite3.OperationalError:  # there are no tables yet
        return 0
    return int(found[0].rpartition(":")[2]) if found else 0


def _eventually(look: Callable[[], int]) -> int:
    for _ in range(600):
        if found := look():
            return found
        time.sleep(0.05)
    raise AssertionError("the node does not join")
