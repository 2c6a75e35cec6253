"""Short commands that a signal ends: an exit code, a line, what was found, and nothing half done left over."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.store.sqlite import SqliteStore

ROOT = Path(__file__).parents[3]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_STUB = """
import asyncio, sys
from pathlib import Path
from runtime.admin import bulk_commands, commands

from runtime.adapters import system_ports
from runtime.store.memory import MemoryStore
from runtime.store.sqlite import copies
from runtime.admin.session import Session
from tests.unit.operate.rows import fill, mail

STORE = MemoryStore(system_ports())
asyncio.run(fill(STORE, *(mail(number, parked="x") for number in range(2, 7))))
"""

_LISTING = (
    _STUB
    + """
async def cluster():
    print("begun", flush=True)
    await asyncio.Event().wait()
STORE.cluster = cluster
commands.admin(["nodes"], obj=Session(store=STORE))
"""
)

_BULK = (
    _STUB
    + """
done = STORE.commit
async def commit(batch, seen=[]):
    seen.append(1)
    if len(seen) > 3:
        print("begun", flush=True)
        await asyncio.Event().wait()
    return await done(batch)
STORE.commit = commit
words = ["dead-letters", "replay-many", "--all", "--yes", "--name", "all", "--reason", "x"]
commands.admin(words, obj=Session(store=STORE))
"""
)

_COPY = (
    _STUB
    + """
import time
flush = copies._flush
def waits(path):
    print("begun", flush=True)
    time.sleep(60)
copies._flush = waits
commands.admin(["--store", "sqlite:///" + sys.argv[1], *sys.argv[2:]])
"""
)


def _ended(code: str, number: signal.Signals, *arguments: str) -> tuple[int, str, str]:
    """What a command says that a signal ends in the middle."""
    process = subprocess.Popen(
        (sys.executable, "-c", code, *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert "Traceback" not in err
    return process.returncode, out, err


@pytest.mark.parametrize("number", SIGNALS)
def test_a_listing_that_is_ended_says_by_what(number: signal.Signals) -> None:
    code, _, err = _ended(_LISTING, number)
    assert (code, err) == (128 + number, f"Error: ended by {number.name}, before it was done\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_bulk_act_that_is_ended_has_said_how_it_goes_on(number: signal.Signals) -> None:
    code, _, err = _ended(_BULK, number)
    assert code == 128 + number
    kept, ended = err.splitlines()
    assert kept == "kept as the run 'all'; after an interrupt go on with: amends admin runs resume all"
    assert ended == f"Error: ended by {number.name}, before it was done"


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("act", ["backup", "restore"])
def test_a_copy_that_is_ended_leaves_nothing(tmp_path: Path, act: str, number: signal.Signals) -> None:
    store, other = tmp_path / "amends.db", tmp_path / "other.db"
    for path in (store, other):
        asyncio.run(_make(path))
    if act == "backup":
        other.unlink()
    before = _files(tmp_path)
    code, _, err = _ended(_COPY, number, str(store), act, str(other))
    assert (code, f"ended by {number.name}" in err) == (128 + number, True)
    assert _files(tmp_path) == before


def _files(folder: Path) -> dict[str, bytes]:
    """But those that each reader leaves beside a store."""
    readers = ("-lock", "-shm", "-wal")
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(readers)}


async def _make(path: Path) -> None:
    store = SqliteStore(path, system_ports())
    await store.open()
    await store.close()
