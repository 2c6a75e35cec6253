"""Files that are no store, or can't be one: each is refused with the cause and the cure, and left as it was."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from runtime.adapters import system_ports
from runtime.errors import StoreCorrupt, StoreReadOnly, StoreTooNew, StoreUnavailable
from runtime.store.records import Verdict
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.copies import back_up, restore
from runtime.testing.conformance.samples import SHARD, mail_row, post, turn
from tests.unit.store.conftest import OpenStore


@pytest.fixture
def plain_user() -> Iterator[None]:
    """Run as a user whom file modes bind: root may write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="amends-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def closed_folder(open_folder: Path) -> Path:
    """A folder that nobody may write."""
    open_folder.chmod(0o555)
    return open_folder


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, make_store: OpenStore) -> None:
    text = b"Dear diary, " * 100
    path.write_bytes(text)
    with pytest.raises(StoreCorrupt, match=r"amends\.db is no database; name another file"):
        await make_store().open()
    assert path.read_bytes() == text


async def test_a_short_file_that_is_no_database_is_refused(path: Path, make_store: OpenStore) -> None:
    path.write_bytes(b"hello")
    with pytest.raises(StoreCorrupt, match="no database"):
        await make_store().open()


async def test_a_database_of_another_program_is_refused_and_left_alone(path: Path, make_store: OpenStore) -> None:
    other = apsw.Connection(str(path))
    other.execute("create table meta (name text, value text); insert into meta values ('schema', '1')")
    other.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt, match="a database of another program"):
        await make_store().open()
    assert path.read_bytes() == before


async def test_a_database_that_names_another_application_is_refused(path: Path, make_store: OpenStore) -> None:
    other = apsw.Connection(str(path))
    other.execute("pragma application_id = 77")
    other.close()
    with pytest.raises(StoreCorrupt, match="a database of another program"):
        await make_store().open()


async def test_an_empty_file_becomes_a_store(path: Path, make_store: OpenStore) -> None:
    path.touch()
    store = make_store()
    await store.open()
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]


async def test_a_damaged_file_is_reported_as_such_and_never_as_empty(path: Path, make_store: OpenStore) -> None:
    store = make_store()
    await store.open()
    posts = [post(mail_row(number, f"k{number}", envelope=b"x" * 900)) for number in range(200)]
    await store.commit(posts)
    await store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xa5" * (size - 4096 * 3))
    again = make_store()
    with pytest.raises(StoreCorrupt, match="is damaged; stop all nodes and restore it"):
        await again.open()
        await again.commit(posts)


async def test_a_store_of_a_newer_version_is_refused(path: Path, make_store: OpenStore) -> None:
    store = make_store()
    await store.open()
    await store.close()
    newer = apsw.Connection(str(path))
    newer.execute("update meta set value = '99' where name = 'schema'")
    newer.close()
    with pytest.raises(StoreTooNew, match=r"schema 99, this one knows 1\); upgrade"):
        await make_store().open()


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "none" / "amends.db", system_ports())
    with pytest.raises(StoreUnavailable, match=r"the folder .*none of the store amends\.db does not exist"):
        await store.open()


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
async def test_what_is_no_file_is_no_store(kind: str, view: bool, tmp_path: Path) -> None:
    odd = Path(os.devnull) if kind == "device" else tmp_path / kind
    if kind == "fifo":
        os.mkfifo(odd)
    elif kind == "folder":
        odd.mkdir()
    link = tmp_path / "link"
    link.symlink_to(odd)
    for path in (odd, link):
        with pytest.raises(StoreUnavailable, match=f"is a {kind}, not a file; name a file as the store"):
            await SqliteStore(path, system_ports(), view=view).open()
        with pytest.raises(StoreUnavailable, match=f"is a {kind}, not a file"):
            back_up(path, tmp_path / "copy.db")


@pytest.mark.parametrize("view", [False, True])
@pytest.mark.parametrize("ending", ["-wal", "-shm", "-lock"])
async def test_what_lies_beside_a_store_by_the_name_of_its_log_and_is_no_file_is_refused(
    path: Path, make_store: OpenStore, ending: str, view: bool
) -> None:
    store = make_store()
    await store.open()
    await store.close()
    beside = Path(f"{path}{ending}")
    beside.unlink(missing_ok=True)
    os.mkfifo(beside)
    with pytest.raises(StoreUnavailable, match=f"amends.db{ending} is a fifo, not a file; move it away"):
        await make_store(view=view).open()


def test_what_is_no_file_is_not_replaced_by_a_backup(path: Path, tmp_path: Path) -> None:
    path.touch()
    os.mkfifo(fifo := tmp_path / "fifo")
    with pytest.raises(StoreUnavailable, match="is a fifo, not a file; name a file as the store"):
        restore(fifo, path, lambda: bytes(16))
    assert fifo.is_fifo()


async def test_a_store_that_shall_not_be_made_is_not_made(path: Path, make_store: OpenStore) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store"):
        await make_store(create=False).open()
    assert list(path.parent.iterdir()) == []
    path.touch()
    with pytest.raises(StoreUnavailable, match="is empty"):
        await make_store(create=False).open()
    assert path.stat().st_size == 0


async def test_a_file_that_may_not_be_written_is_refused(open_folder: Path, plain_user: None) -> None:
    path = open_folder / "amends.db"
    store = SqliteStore(path, system_ports())
    await store.open()
    await store.close()
    path.chmod(0o444)
    with pytest.raises(StoreReadOnly, match=r"amends\.db cannot be written; check owner, mode and mount"):
        await SqliteStore(path, system_ports()).open()


async def test_a_folder_that_may_not_be_written_is_refused(closed_folder: Path, plain_user: None) -> None:
    with pytest.raises(StoreReadOnly, match=r"amends\.db-lock cannot be written"):
        await SqliteStore(closed_folder / "amends.db", system_ports()).open()


async def test_a_store_keeps_everything_over_a_restart(make_store: OpenStore) -> None:
    first = make_store()
    await first.open()
    handled = turn(1, mail=[mail_row(2, "b")])
    await first.commit([post(mail_row(1)), handled])
    await first.close()
    second = make_store()
    await second.open()
    assert second.cluster_id == first.cluster_id
    assert await second.load([("billing", "a")]) == [handled.actor]
    assert await second.waiting_for(("billing", "b"), SHARD, limit=9) == list(handled.mail)


async def test_a_closed_store_says_so_and_can_be_opened_again(make_store: OpenStore) -> None:
    store = make_store()
    with pytest.raises(StoreUnavailable, match="is closed"):
        await store.commit([post(mail_row(1))])
    await store.open()
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="is closed"):
        await store.commit([post(mail_row(1))])
    await store.open()
    assert await store.commit([post(mail_row(1))]) == [Verdict.COMMITTED]


async def test_an_exception_text_that_utf_8_lacks_is_kept_spelt_out(make_store: OpenStore) -> None:
    store = make_store()
    await store.open()
    parked = mail_row(1, parked="no file 'caf\udce9'")
    assert await store.commit([post(mail_row(2, "b")), post(parked)]) == [Verdict.COMMITTED] * 2
    [found] = await store.waiting_for(("billing", "a"), SHARD, limit=9)
    assert found.parked == "no file 'caf\\udce9'"
