"""A lane whose connections break: what only reads is done again, for as long as a caller can wait."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from runtime.adapters import system_ports
from runtime.errors import CommitUnknown, StoreUnavailable
from runtime.store.postgresql.connection import SessionLimits
from runtime.store.postgresql.lane import StoreLane
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.postgresql.timeline import Timeline
from tests.unit.store.postgresql.conftest import OpenStore

WAIT_S = 0.5


@pytest.fixture
async def lane(open_store: OpenStore, url: str) -> AsyncIterator[StoreLane]:
    await open_store()
    target = PostgresqlTarget.of(url)
    made = StoreLane(
        target, system_ports(), SessionLimits("reads", 5.0), size=4, wait_s=WAIT_S, timeline=Timeline(target.at)
    )
    made.open()
    yield made
    await made.close()


class Breaking:
    """Work whose session is ended by the server while it runs, the first so many times."""

    def __init__(self, times: int) -> None:
        self.done = 0
        self._times = times

    async def __call__(self, connection: Any) -> str:
        self.done += 1
        if self.done <= self._times:
            await connection.execute("select pg_terminate_backend(pg_backend_pid())")
        return str(await connection.fetchval("select 'read'"))


async def test_a_read_is_done_again_until_a_connection_stays(lane: StoreLane) -> None:
    work = Breaking(4)
    assert await lane.read(work) == "read"
    assert work.done == 5


async def test_a_read_whose_connections_always_break_is_an_error_that_says_how_often(lane: StoreLane) -> None:
    work = Breaking(1_000_000)
    with pytest.raises(StoreUnavailable, match=r"broke before it answered .*, \d+ times; see the log of the server"):
        await lane.read(work)
    assert work.done > 2


async def test_a_write_whose_connection_breaks_is_done_once_and_its_outcome_is_unknown(lane: StoreLane) -> None:
    work = Breaking(1)
    with pytest.raises(CommitUnknown):
        await lane.write(work)
    assert work.done == 1
