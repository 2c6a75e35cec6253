"""`proofs add` puts what runs have written into a store, and `proofs` tells of each version whether it is proven."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.operate.proofs.proof_file import text_of
from runtime.store.definitions import DefinitionRow
from runtime.store.memory import MemoryStore
from tests.unit.operate.proofs import VERSION, broken, proof, simulated
from tests.unit.operate.rows import fill, saga

UNKNOWN, RUNNING, QUIET = "ab" * 16, "cd" * 16, "ef" * 16


def run(store: MemoryStore, *arguments: str) -> Result:
    return CliRunner().invoke(admin, [*arguments], obj=Session(store=store))


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Of two runs: one that was clean, and one that was not."""
    clean, bad = tmp_path / "clean.json", tmp_path / "bad.json"
    clean.write_text(text_of([proof(), proof(version=UNKNOWN, kind="old-trip")]))
    bad.write_text(text_of([broken(simulated(), made_at_s=200.0, broke="I5: \x1b[2J left", version=QUIET, kind="b")]))
    return str(clean), str(bad)


def test_files_are_added_once_and_strangers_are_named(store: MemoryStore, files: tuple[str, str]) -> None:
    done = run(store, "proofs", "add", *files)
    assert done.exit_code == 0, done.output
    assert "3 added\n" in done.stdout
    assert f"warning: the store has never heard of old-trip/{UNKNOWN}; its proofs are kept all the same" in done.stderr
    again = json.loads(run(store, "proofs", "add", *files, "--json").stdout)
    assert (again["act"], again["added"], again["there_before"], again["too_old"]) == ("proofs add", 0, 3, 0)


async def test_each_version_is_listed_with_what_it_passed_or_as_not_proven(
    store: MemoryStore, files: tuple[str, str]
) -> None:
    kept = [DefinitionRow(kind, version, 5.0, b"") for kind, version in (("book-trip", VERSION), ("b", QUIET))]
    await store.keep_definitions(kept)
    await fill(store, saga(version=bytes.fromhex(RUNNING)))
    told = await _told(store, "proofs", "add", *files)
    assert "3 added" in told
    rows = json.loads(await _told(store, "proofs", "--json"))
    found = [(one["version"], one["standing"], one["in_store"], len(one["proofs"])) for one in rows]
    assert found == [
        (QUIET, "broken", True, 1),
        (RUNNING, "not proven", True, 0),
        (VERSION, "passed", True, 1),
        (UNKNOWN, "passed", False, 1),
    ]
    assert rows[0]["proofs"][0]["method"] == "simulation" and rows[0]["since_s"] == 200.0
    table = await _told(store, "proofs")
    assert "broken" in table and "exploration clean: every schedule" in table and "(not in this store)" in table
    assert "\x1b[2J" not in table and "nothing" in table
    assert "beyond --limit" in await _told(store, "proofs", "--limit", "1")


async def _told(store: MemoryStore, *arguments: str) -> str:
    done = await asyncio.to_thread(run, store, *arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_one_wrong_file_adds_nothing_of_any(store: MemoryStore, files: tuple[str, str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    done = run(store, "proofs", "add", files[0], str(wrong))
    assert done.exit_code == 2
    assert "wrong.json is no file of proofs that can be added: it does not say its format" in done.output
    assert json.loads(run(store, "proofs", "--json").stdout) == []
    assert run(store, "proofs", "add").exit_code == 2


def test_an_empty_store_has_no_version(store: MemoryStore) -> None:
    assert run(store, "proofs").output == "no version of a saga\n"
