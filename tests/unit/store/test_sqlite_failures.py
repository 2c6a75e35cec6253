"""A disk that fails while a commit is written: what is reported is what is true, then and after a restart."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest

from runtime.adapters import system_ports
from runtime.errors import CommitUnknown, StoreError, StoreFull, StoreUnavailable
from runtime.store.committer import Committer
from runtime.store.records import Verdict
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.queries import schema_steps
from runtime.store.sqlite.writer import Writer
from runtime.testing.conformance.samples import SHARD, mail_row, post, turn
from tests.unit.store.conftest import OpenStore
from tests.unit.store.failing_disk import FailingDisk, failing_disk


@pytest.fixture
async def disk(path: Path) -> AsyncIterator[FailingDisk]:
    with failing_disk(path.parent.name) as disk:
        yield disk


@pytest.fixture
async def store(disk: FailingDisk, path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, system_ports(), vfs=disk.name)
    await store.open()
    await store.commit([post(mail_row(1))])
    yield store
    disk.full = disk.sync_fails = disk.commit_write_fails = False
    await store.close()


async def count(store: SqliteStore) -> int:
    return len(await store.waiting("billing", [SHARD], due_before_s=1e9, sent_before_s=1e9, limit=999))


async def test_a_full_disk_refuses_definitely_and_all_goes_on_when_there_is_room(
    store: SqliteStore, disk: FailingDisk
) -> None:
    disk.full = True
    for _ in range(3):
        with pytest.raises(StoreFull, match=r"the disk of .* is full; free some space"):
            await store.commit([turn(1, mail=[mail_row(2, "b")]), post(mail_row(3))])
    assert await count(store) == 1
    assert disk.failures
    disk.full = False
    assert await store.commit([turn(1, mail=[mail_row(2, "b")]), post(mail_row(3))]) == [Verdict.COMMITTED] * 2
    assert await count(store) == 2


async def test_nothing_runs_on_after_sqlite_has_rolled_back_by_itself(path: Path) -> None:
    writer = Writer(path, system_ports(), wait_s=1.0)
    await writer.open(schema_steps(), create=True)

    def fill(connection: apsw.Connection) -> None:
        connection.execute("insert into meta values ('first', '1')")
        connection.execute("pragma max_page_count = 1")
        connection.execute("insert into meta values ('second', ?)", ("x" * 100_000,))

    def swallow(connection: apsw.Connection) -> None:
        try:
            fill(connection)
        except apsw.FullError:
            connection.execute("insert into meta values ('third', '3')")

    with pytest.raises(StoreFull):
        await writer.transact(fill)
    with pytest.raises(StoreUnavailable, match="gave up a transaction half way"):
        await writer.transact(swallow)

    def names(connection: apsw.Connection) -> set[str]:
        return {name for (name,) in connection.execute("select name from meta")}

    found = await writer.transact(names)
    await writer.close()
    assert found & {"first", "second"} == set()


async def test_a_commit_whose_flush_fails_is_unknown_and_then_found(store: SqliteStore, disk: FailingDisk) -> None:
    disk.sync_fails = True
    with pytest.raises(CommitUnknown, match="failed while committing"):
        await store.commit([post(mail_row(2))])
    disk.sync_fails = False
    [there] = await store.settle([post(mail_row(2))])
    assert await count(store) == 1 + there


async def test_a_commit_whose_last_write_fails_is_unknown_and_then_missing(
    store: SqliteStore, disk: FailingDisk
) -> None:
    disk.commit_write_fails = True
    with pytest.raises(CommitUnknown):
        await store.commit([post(mail_row(2))])
    disk.commit_write_fails = False
    assert await store.settle([post(mail_row(2))]) == [False]
    assert await store.commit([post(mail_row(2))]) == [Verdict.COMMITTED]


async def test_a_store_that_cannot_write_does_not_settle(store: SqliteStore, disk: FailingDisk) -> None:
    disk.sync_fails = True
    with pytest.raises(CommitUnknown):
        await store.commit([post(mail_row(2))])
    with pytest.raises(StoreUnavailable, match="could not yet say"):
        await store.settle([post(mail_row(2))])


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("failure", ["sync_fails", "commit_write_fails"])
async def test_what_settle_said_stays_true_over_a_restart(
    store: SqliteStore, disk: FailingDisk, path: Path, make_store: OpenStore, failure: str, others: int
) -> None:
    # With another store on the file the lost commit is not recovered when the connection is replaced, but may be at
    # the next start of all; alone, it is recovered at once.
    for _ in range(others):
        other = make_store()
        await other.open()
        await other.load([("billing", "a")])
    setattr(disk, failure, True)
    with pytest.raises(CommitUnknown):
        await store.commit([post(mail_row(2)), post(mail_row(3, envelope=b"x" * 20_000))])
    setattr(disk, failure, False)
    told = await store.settle([post(mail_row(2)), post(mail_row(3))])
    assert told[0] == told[1]
    # The end of a process: everything is read back from the files.
    copy = path.parent / "copy"
    copy.mkdir()
    for suffix in ("", "-wal"):
        source = Path(f"{path}{suffix}")
        if source.exists():
            (copy / source.name).write_bytes(await asyncio.to_thread(_read_elsewhere, source))
    after = SqliteStore(copy / path.name, system_ports())
    await after.open()
    assert await count(after) == (3 if told[0] else 1)
    await after.close()


def _read_elsewhere(source: Path) -> bytes:
    """Read by another process: closing a file drops the locks that this process holds on it."""
    return subprocess.run(["cat", str(source)], check=True, capture_output=True).stdout


async def test_the_committer_never_reports_failure_for_what_happened(store: SqliteStore, disk: FailingDisk) -> None:
    told: list[Verdict | StoreError] = []

    def tell(outcome: Verdict | StoreError) -> None:
        told.append(outcome)
        if len(told) == 6:  # in the middle of it, however fast the rest would be
            disk.sync_fails = True

    committer = Committer(store, system_ports(), batch_max=2)
    for number in range(10, 30):
        committer.submit(post(mail_row(number)), tell)
    while disk.failures < 3:
        await asyncio.sleep(0.001)
    disk.sync_fails = False
    await committer.close()
    assert told == [Verdict.COMMITTED] * 20
    assert await count(store) == 21


async def test_cancelling_who_waits_does_not_cancel_the_commit(store: SqliteStore) -> None:
    waiting = asyncio.create_task(store.commit([post(mail_row(2))]))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await store.commit([post(mail_row(2))]) == [Verdict.DUPLICATE]
