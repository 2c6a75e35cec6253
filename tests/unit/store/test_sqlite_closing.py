"""Closing a store: whatever its thread is waiting for, it ends in peace, and closing twice is closing once."""

import asyncio
import threading
from pathlib import Path

import pytest

from runtime.errors import StoreBusy
from runtime.store.records import Verdict
from runtime.store.sqlite.lock import FileLock
from runtime.testing.conformance.samples import mail_row, post
from tests.unit.store.conftest import OpenStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Threads are known by the name of their file, so that here it is one that no other test has."""
    return tmp_path / f"{tmp_path.name}.db"


def threads_of(path: Path) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(path.name)]


async def test_a_store_that_is_closed_while_it_waits_for_anothers_lock_lets_go_of_it(
    path: Path, make_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: failures.append(repr(args.exc_value)))
    store = make_store(wait_s=0.1)
    await store.open()
    other = FileLock(path)
    other.acquire()
    with pytest.raises(StoreBusy):
        await store.commit([post(mail_row(1))])
    left = threads_of(path)
    await store.close()
    other.release()
    for thread in left:
        thread.join(30)
    assert not failures
    assert not threads_of(path)
    other.acquire()  # blocks for ever if the thread still had it
    other.close()


async def test_a_store_that_is_closed_twice_at_once_is_closed(path: Path, make_store: OpenStore) -> None:
    store = make_store()
    await store.open()
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
    await asyncio.gather(store.close(), store.close())
    assert not threads_of(path)
    await store.open()
    assert await store.commit([post(mail_row(2))]) == [Verdict.COMMITTED]
