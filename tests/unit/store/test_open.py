"""From a URL to a store."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.errors import InvalidSettings, StoreBusy, StoreUnavailable
from runtime.store.engine import StoreNotes
from runtime.store.memory import MemoryStore
from runtime.store.open import back_up_store, open_store, restore_store, store_notes
from runtime.store.postgresql import PostgresqlStore
from runtime.store.records import ActorRow, Transition
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.lock import FileLock
from runtime.testing.conformance.samples import actor_row


def test_memory_is_a_store_of_its_own_each_time() -> None:
    first, second = (open_store("memory:", system_ports()) for _ in range(2))
    assert isinstance(first, MemoryStore)
    assert first.cluster_id != second.cluster_id


async def test_three_slashes_are_relative_and_four_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, path in (("sqlite:///near.db", Path("near.db")), (f"sqlite:///{tmp_path}/far.db", tmp_path / "far.db")):
        store = open_store(url, system_ports())
        assert isinstance(store, SqliteStore)
        await store.open()
        await store.close()
        assert path.exists()


async def test_a_relative_store_stays_where_it_was_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///near.db", system_ports())
    monkeypatch.chdir(os.sep)
    await store.open()
    await store.close()
    assert (tmp_path / "near.db").exists()


async def test_a_store_that_shall_exist_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store"):
        await open_store(f"sqlite:///{tmp_path}/none.db", system_ports(), create=False).open()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    ["", "amends.db", "sqlite:amends.db", "sqlite://amends.db", "sqlite:///", "sqlite:///?wait_s=1", "mysql://x/y"],
)
def test_a_url_of_no_known_form_is_refused_with_the_forms_that_are(url: str) -> None:
    with pytest.raises(InvalidSettings, match=r"is no store( in a file)?; use sqlite:///relative\.db"):
        open_store(url, system_ports())


async def test_a_store_in_a_file_is_set_by_its_url(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/set.db?wait_s=0.25"
    store = open_store(url, system_ports())
    await store.open()
    lock = FileLock(tmp_path / "set.db")
    lock.acquire()
    try:
        with pytest.raises(StoreBusy, match=r"0\.25 s"):
            await store.commit([Transition()])
    finally:
        lock.release()
        lock.close()
        await store.close()
    assert store_notes(url).warnings == ()


def test_a_log_is_long_from_the_length_on_that_the_url_sets(tmp_path: Path) -> None:
    (tmp_path / "a.db-wal").write_bytes(bytes(70_000))
    assert store_notes(f"sqlite:///{tmp_path}/a.db") == StoreNotes(70_000)
    notes = store_notes(f"sqlite:///{tmp_path}/a.db?log_bytes_long=65536")
    assert notes.log_bytes == 70_000
    assert "end foreign programs" in notes.warnings[0]


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (
            "sqlite:///a.db?waits=1&wait_s=2",
            "unknown setting waits; there are: wait_s, checkpoint_pages, log_bytes_long",
        ),
        ("sqlite:///a.db?wait_s=soon", "the store's setting wait_s is wrong: must be a number of seconds"),
        ("sqlite:///a.db?wait_s=1&wait_s=2", "gives its setting wait_s twice"),
        ("memory:?wait_s=1", "has no name and no settings"),
    ],
)
def test_a_setting_that_the_store_has_not_or_cannot_read_is_refused_by_name(url: str, reason: str) -> None:
    with pytest.raises(InvalidSettings, match=re.escape(reason)):
        open_store(url, system_ports())


@pytest.mark.parametrize("act", [lambda: back_up_store("memory:", Path("x")), lambda: store_notes("memory:")])
def test_a_store_in_memory_cannot_be_looked_at_from_outside(act: Callable[[], object]) -> None:
    with pytest.raises(InvalidSettings, match="can't be read from outside"):
        act()


def test_no_engine_is_imported_before_a_url_names_it() -> None:
    """What an engine needs is an extra, which whoever uses another one has not installed."""
    told = (
        "import sys; from runtime.store.open import open_store; from runtime.adapters import system_ports;"
        "open_store('memory:', system_ports()); print(sorted(one for one in sys.modules if 'sqlite' in one))"
    )
    assert subprocess.run([sys.executable, "-c", told], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
async def test_a_store_in_postgresql_is_opened_without_showing_its_password(scheme: str) -> None:
    store = open_store(f"{scheme}://user:secret@127.0.0.1:1/db?reconnect_s=0.1", system_ports())
    assert isinstance(store, PostgresqlStore)
    with pytest.raises(StoreUnavailable, match=r"postgresql://127\.0\.0\.1:1/db cannot be reached") as caught:
        await store.open()
    assert "secret" not in str(caught.value)


def test_a_store_in_postgresql_names_the_package_that_it_needs() -> None:
    told = (
        "import sys; sys.modules['asyncpg'] = None; from runtime.store.open import open_store;"
        "from runtime.adapters import system_ports; from runtime.errors import InvalidSettings\n"
        "try: open_store('postgresql://host/db', system_ports())\n"
        "except InvalidSettings as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True)
    assert said.stdout == "a store postgresql://... needs asyncpg: pip install 'amends[postgresql]'\n", said.stderr


@pytest.mark.parametrize(
    "act", [lambda url: back_up_store(url, Path("x")), lambda url: restore_store(url, Path("x"), system_ports())]
)
def test_a_store_in_postgresql_is_copied_by_its_own_tools(act: Callable[[str], object]) -> None:
    with pytest.raises(InvalidSettings, match="by its own tools") as caught:
        act("postgresql://user:secret@host/db")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["postgre://user:secret@host/db", "user:secret@host/db"])
def test_a_url_that_is_mistyped_shows_no_password(url: str) -> None:
    with pytest.raises(InvalidSettings, match="use sqlite:///") as caught:
        open_store(url, system_ports())
    assert "secret" not in str(caught.value)


def test_a_turn_names_the_row_it_expects_and_a_post_does_not() -> None:
    row: ActorRow = actor_row()
    with pytest.raises(ValueError, match="or neither"):
        Transition(actor=row)
