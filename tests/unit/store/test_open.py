"""From a URL to a store."""

import os
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.errors import InvalidSettings, StoreUnavailable
from runtime.store.memory import MemoryStore
from runtime.store.open import open_store
from runtime.store.records import ActorRow, Transition
from runtime.store.sqlite import SqliteStore
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
    "url", ["", "amends.db", "sqlite:amends.db", "sqlite://amends.db", "sqlite:///", "mysql://x/y"]
)
def test_a_url_of_no_known_form_is_refused_with_the_forms_that_are(url: str) -> None:
    with pytest.raises(InvalidSettings, match=r"is no store; use sqlite:///relative\.db"):
        open_store(url, system_ports())


@pytest.mark.parametrize("url", ["postgresql://user:secret@host/db", "postgres://user:secret@host/db"])
def test_postgresql_is_not_there_yet_and_its_password_is_not_shown(url: str) -> None:
    with pytest.raises(InvalidSettings, match="not there yet") as caught:
        open_store(url, system_ports())
    assert "secret" not in str(caught.value)


def test_a_turn_names_the_row_it_expects_and_a_post_does_not() -> None:
    row: ActorRow = actor_row()
    with pytest.raises(ValueError, match="or neither"):
        Transition(actor=row)
