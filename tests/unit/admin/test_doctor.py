"""`doctor` tells what is wrong with a store, and the cure beside it; it ends with 1 if anything is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.store.open import open_store
from runtime.testing.conformance.samples import mail_row, post
from runtime.testing.processes.postgresql.server import PostgresServer


def doctor(url: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by their checks."""
    ended = CliRunner().invoke(admin, ["--store", url, "--json", "doctor"])
    assert ended.output.startswith("["), ended.output
    return ended.exit_code, {one["check"]: one for one in json.loads(ended.output)}


async def make_store(url: str, *, with_mail: bool = False) -> None:
    store = open_store(url, system_ports())
    await store.open()
    if with_mail:
        await store.commit([post(mail_row(1))])  # sent in 1970, and so waiting for long
    await store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'amends.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


def run(url: str, *, with_mail: bool = False) -> None:
    asyncio.run(make_store(url, with_mail=with_mail))


def test_a_store_in_which_all_is_well_needs_no_cure(url: str) -> None:
    run(url)
    code, found = doctor(url)
    assert {name: one["cure"] for name, one in found.items() if one["cure"]} == {}
    assert code == 0
    assert found["oldest mail"]["found"] == "none waits"


def test_mail_that_nobody_handles_is_told_with_its_cure(url: str) -> None:
    run(url, with_mail=True)
    code, found = doctor(url)
    assert [name for name, one in found.items() if one["cure"]] == ["oldest mail"]
    assert "`nodes`, `shards` and `pauses`" in found["oldest mail"]["cure"]
    assert code == 1


def test_a_log_that_is_too_long_is_told_with_its_cure(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'amends.db'}"
    run(url)
    (tmp_path / "amends.db-wal").write_bytes(b"\0" * 100_000)
    code, found = doctor(f"{url}?log_bytes_long=65536")
    assert code == 1
    assert found["log size"]["cure"]


async def test_a_role_that_may_not_see_the_log_is_told_what_it_lacks(postgres_server: PostgresServer) -> None:
    await postgres_server.sql("CREATE ROLE modest LOGIN PASSWORD 'modest'")
    await postgres_server.sql("CREATE DATABASE modest OWNER modest")
    url = f"postgresql://modest:modest@{postgres_server.address}/modest"
    await make_store(url)
    _, found = await asyncio.to_thread(doctor, url)
    assert found["log size"]["found"].startswith("not known: permission denied")
    assert found["log size"]["cure"] == ""


def test_a_store_that_is_not_there_cannot_be_examined(tmp_path: Path) -> None:
    ended = CliRunner().invoke(admin, ["--store", f"sqlite:///{tmp_path / 'none.db'}", "doctor"])
    assert ended.exit_code == 1
    assert "none.db" in ended.output
