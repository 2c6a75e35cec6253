"""Listings of actors with timers, in a store of 20,000: what SQLite reads for them."""

from __future__ import annotations

import apsw
import pytest

from runtime.store.sqlite.queries import schema_steps
from runtime.store.sqlite.timed import read_timed
from runtime.store.timed import TimedFilter
from tests.unit.store.test_sqlite_summaries import plans_of, steps_of

ACTORS = 20_000
PAGE = 50

FILTERS = {
    "all": TimedFilter(),
    "of a kind": TimedFilter(kinds=("sales",)),
    "due by then": TimedFilter(due_by_s=10.0),
    "by key": TimedFilter(prefix="ORD-1999"),
    "of no key": TimedFilter(prefix="nobody"),
}


@pytest.fixture(scope="module")
def connection() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(schema_steps()[0])
    connection.execute(
        """with recursive number(n) as (select 0 union all select n + 1 from number where n + 1 < ?)
        insert into actors (kind, key, shard, revision, last_id, conversation, state_type, updated_at_s,
          timer_conversations, state, timers, due_at_s)
        select iif(n % 5, 'sales', 'trip'), 'ORD-' || n, n % 16, 1, x'00', x'00', 'shop.OrderState', n, '', x'00', x'',
          n * 7919 % 20011 from number""",
        (ACTORS,),
    )
    return connection


@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS)
def test_timers_are_found_in_the_index_alone_and_in_its_order(connection: apsw.Connection, wanted: TimedFilter) -> None:
    plans = plans_of(connection, lambda: read_timed(connection, wanted, limit=PAGE))
    places = [plan for plan in plans if "AND due_at_s>" in plan]
    assert len(places) == 1 and "USING COVERING INDEX actors_due" in places[0]
    assert not [plan for plan in plans if plan.startswith("SCAN actors") or "TEMP B-TREE" in plan]


def test_a_listing_of_timers_costs_what_it_shows(connection: apsw.Connection) -> None:
    assert steps_of(connection, lambda: read_timed(connection, TimedFilter(), limit=PAGE)) < 200 * PAGE
