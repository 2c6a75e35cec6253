"""Looking into what a power cut left."""

from __future__ import annotations

from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.store.sqlite import SqliteStore
from runtime.testing.conformance.samples import mail_row, post, turn
from tests.proof.power.books import RowsFound
from tests.proof.power.postmortem import Damaged, examine


@pytest.fixture
async def image(tmp_path: Path) -> dict[str, bytes]:
    """Of a store with some work in it, half of it still in the log."""
    folder = tmp_path / "store"
    folder.mkdir()
    store = SqliteStore(folder / "store.db", system_ports(), checkpoint_pages=4)
    await store.open()
    await store.commit([post(mail_row(1))])
    await store.commit([turn(1, mail=[mail_row(2, "b", envelope=b"x" * 20_000)])])
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.name in ("store.db", "store.db-wal")}
    await store.close()
    return files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "look"
    folder.mkdir()
    return folder


def test_every_row_is_found_as_it_was_written(image: dict[str, bytes], folder: Path) -> None:
    done = turn(1, mail=[mail_row(2, "b", envelope=b"x" * 20_000)])
    assert examine(image, folder, "store.db") == RowsFound([done.actor], list(done.mail), list(done.history))  # type: ignore[list-item]  # it has an actor
    assert not list(folder.iterdir()), "the copy is left"


def test_nothing_at_all_is_an_empty_store(folder: Path) -> None:
    assert examine({}, folder, "store.db") == RowsFound()


def test_a_file_that_is_no_database_is_damaged(image: dict[str, bytes], folder: Path) -> None:
    with pytest.raises(Damaged, match="cannot be read"):
        examine({"store.db": b"\xa5" * 8_192}, folder, "store.db")


def test_a_spoilt_page_is_damage(image: dict[str, bytes], folder: Path) -> None:
    file = bytearray(image["store.db"])
    assert len(file) > 3 * 4_096
    file[4_096 : 3 * 4_096] = b"\xa5" * (2 * 4_096)
    with pytest.raises(Damaged, match=r"integrity_check|cannot be read"):
        examine({"store.db": bytes(file)}, folder, "store.db")
