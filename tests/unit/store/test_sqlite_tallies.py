"""What is counted for whoever watches a store in SQLite costs seeks and counts along indexes, up to a limit."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest

from runtime.store.columns import ACTORS, MAIL
from runtime.store.sqlite.queries import schema_steps
from runtime.store.sqlite.tallies import read_tallies
from runtime.store.tallies import Tallies
from runtime.testing.conformance.samples import actor_row, mail_row, told
from tests.unit.store.test_sqlite_summaries import plans_of, steps_of

ENDED, OWING = 20_000, 200


@pytest.fixture(scope="module")
def connection() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    for step in schema_steps():
        connection.execute(step)
    actors = [actor_row(f"e{number}", summary=told("completed")) for number in range(ENDED)]
    actors += [actor_row(f"o{number}", summary=told("stuck", owed_at_s=5.0)) for number in range(OWING)]
    actors += [actor_row(f"l{number}", due_at_s=1.0) for number in range(OWING)]
    put = f"insert into actors ({ACTORS}) values ({', '.join('?' * len(ACTORS.names))})"
    connection.executemany(put, map(ACTORS.values, actors))
    put = f"insert into mail ({MAIL}) values ({', '.join('?' * len(MAIL.names))})"
    connection.executemany(put, [MAIL.values(mail_row(number, f"m{number}")) for number in range(ENDED)])
    yield connection
    connection.close()


def read(connection: apsw.Connection, limit: int) -> Tallies:
    return read_tallies(connection, now_s=9.0, uncounted=("completed",), actors_max=limit, mail_max=limit)


def test_what_is_counted_costs_what_stands_so_and_not_what_there_is(connection: apsw.Connection) -> None:
    found = read(connection, 100)
    assert [(status, tally.count) for status, tally in found.actors] == [("stuck", 100)]
    assert [tally.count for tally in (*found.owed, *found.waiting, *found.late)] == [100, 100, 100]
    assert steps_of(connection, lambda: read(connection, 100)) < 100 * 80


def test_every_count_goes_along_an_index(connection: apsw.Connection) -> None:
    plans = plans_of(connection, lambda: read(connection, 100))
    for index in (
        "actors_summary (kind=? AND status=?",
        "actors_owed (kind=?",
        "actors_unknown (kind>?",
        "actors_due (kind=?",
    ):
        assert any(index in plan for plan in plans), plans
    assert not [plan for plan in plans if plan.startswith(("SCAN actors", "SCAN mail")) or "TEMP B-TREE" in plan]
