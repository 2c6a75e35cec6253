"""`doctor` tells what is wrong with a store, and the cure beside it; it ends with 1 if anything is."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.store.finding import MAIL_MANY
from runtime.store.open import open_store
from runtime.store.records import Busy, NodeRow, Verdict
from runtime.testing.conformance.samples import mail_row, post
from runtime.testing.processes.postgresql.server import PostgresServer


def doctor(url: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and the findings by their checks."""
    ended = CliRunner().invoke(admin, ["--store", url, "--json", "doctor"])
    assert ended.output.startswith("["), ended.output
    return ended.exit_code, {one["check"]: one for one in json.loads(ended.output)}


async def make_store(url: str, *, mail: int = 0) -> None:
    store = open_store(url, system_ports())
    await store.open()
    if mail:
        # It was sent in 1970, and so has waited for long.
        rows = (mail_row(number) for number in range(1, mail + 1))
        assert set(await store.commit([post(row) for row in rows])) == {Verdict.COMMITTED}
    await store.close()


async def make_refusing(url: str, *, lease_s: float) -> None:
    """A node with a lease tells that it has refused commands for a while; one that is gone has told it as well."""
    store = open_store(url, system_ports())
    await store.open()
    now_s = await store.now_s()
    await store.join(NodeRow("north", "1", "127.0.0.1:1", ("sales",), "0.2.0"), lease_s=lease_s)
    for number, name in enumerate(("north", "gone"), 1):
        store.tell_busy(Busy(name, "1", now_s, now_s + 60, (), refuses_since_s=now_s - 90))
        async with asyncio.timeout(20):
            while len(await store.busy()) < number:  # It is told by a thread.
                await asyncio.sleep(0.01)
    await store.close()


async def one_more(url: str) -> None:
    store = open_store(url, system_ports())
    await store.open()
    assert await store.commit([post(mail_row(MAIL_MANY + 1))]) == [Verdict.COMMITTED]
    await store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'amends.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found


def run(url: str, *, mail: int = 0) -> None:
    asyncio.run(make_store(url, mail=mail))


def test_a_store_in_which_all_is_well_needs_no_cure(url: str) -> None:
    run(url)
    code, found = doctor(url)
    assert {name: one["cure"] for name, one in found.items() if one["cure"]} == {}
    assert code == 0
    assert found["oldest mail"]["found"] == "none waits"
    assert (found["waiting mail"]["found"], found["refused commands"]["found"]) == ("none", "none")


def test_mail_that_nobody_handles_is_told_with_its_cure(url: str) -> None:
    run(url, mail=1)
    code, found = doctor(url)
    assert [name for name, one in found.items() if one["cure"]] == ["oldest mail"]
    assert "`nodes`, `shards` and `pauses`" in found["oldest mail"]["cure"]
    assert found["waiting mail"]["found"] == "billing 1"
    assert code == 1


def test_more_mail_of_a_kind_than_nodes_take_commands_beside_is_told_with_its_cure(url: str) -> None:
    run(url, mail=MAIL_MANY)
    assert doctor(url)[1]["waiting mail"]["cure"] == ""
    asyncio.run(one_more(url))
    code, found = doctor(url)
    assert found["waiting mail"]["found"] == f"billing {MAIL_MANY + 1}"
    assert "add nodes" in found["waiting mail"]["cure"] and "backlog_max (5,000" in found["waiting mail"]["cure"]
    assert code == 1


def test_a_node_that_refuses_commands_is_told_with_how_long_it_has_and_the_cure(url: str) -> None:
    asyncio.run(make_refusing(url, lease_s=60.0))
    code, found = doctor(url)
    told = re.fullmatch(r"by north, for (\d+) s", found["refused commands"]["found"])
    assert told and int(told[1]) >= 90
    assert "half of backlog_max" in found["refused commands"]["cure"]
    assert code == 1


def test_what_a_node_without_a_lease_refused_is_not_told(url: str) -> None:
    asyncio.run(make_refusing(url, lease_s=-60.0))
    code, found = doctor(url)
    assert (found["refused commands"]["found"], code) == ("none", 0)


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
