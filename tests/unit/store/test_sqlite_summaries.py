"""Listings of what actors tell of themselves, in a store of 20,000 sagas: what SQLite reads for them."""

from __future__ import annotations

from collections.abc import Callable

import apsw
import pytest

from runtime.store.sqlite.queries import schema_steps
from runtime.store.sqlite.summaries import count_summaries, read_summaries
from runtime.store.summaries import SummaryFilter, SummaryOrder, SummaryRow

SAGAS, STUCK = 20_000, 200
PAGE = 50


@pytest.fixture(scope="module")
def connection() -> apsw.Connection:
    """One saga in a hundred is stuck, and nine in ten have ended; there are rows of a service as well."""
    connection = apsw.Connection(":memory:")
    connection.execute(schema_steps()[0])
    connection.execute(
        """with recursive number(n) as (select 0 union all select n + 1 from number where n + 1 < ?)
        insert into actors (kind, key, shard, revision, last_id, conversation, state_type, updated_at_s,
          timer_conversations, state, timers, status, step, version, started_at_s, progressed_at_s, error)
        select iif(n % 5, 'order-process', 'trip'), 'ORD-' || n, n % 16, 1, x'00', x'00', 'amends.SagaRecord', n, '',
          x'00', x'', case when n % 100 = 0 then 'stuck' when n % 10 = 0 then 'running' else 'completed' end,
          iif(n % 10, '', 'bill'), 'aa01', n, n * 7919 % 20011, iif(n % 100, '', 'no refund') from number""",
        (SAGAS,),
    )
    connection.execute(
        """insert into actors
          (kind, key, shard, revision, last_id, conversation, state_type, updated_at_s, timer_conversations, state,
           timers)
        select 'sales', key, shard, 1, x'00', x'00', 'shop.OrderState', 0.0, '', x'00', x'' from actors"""
    )
    return connection


def plans_of(connection: apsw.Connection, read: Callable[[], object]) -> list[str]:
    """How SQLite finds the rows of each statement that is executed."""
    executed: dict[str, object] = {}

    def note(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        if sql.lstrip().startswith("select"):
            executed.setdefault(sql, bindings)
        return True

    connection.exec_trace = note
    try:
        read()
    finally:
        connection.exec_trace = None
    plans = [connection.execute(f"explain query plan {sql}", bindings) for sql, bindings in executed.items()]  # type: ignore[arg-type]
    return [str(detail) for plan in plans for _, _, _, detail in plan]


def steps_of(connection: apsw.Connection, read: Callable[[], object]) -> int:
    """How many instructions SQLite's machine has run."""
    steps = 0

    def note(event: dict[str, int]) -> None:
        nonlocal steps
        steps += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]  # type: ignore[index]

    connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
    try:
        read()
    finally:
        connection.trace_v2(0, None)
    return steps


def page(connection: apsw.Connection, wanted: SummaryFilter, order: SummaryOrder) -> list[SummaryRow]:
    return read_summaries(connection, wanted, order=order, limit=PAGE)


WANTED = {
    "all": SummaryFilter(),
    "stuck": SummaryFilter(statuses=("stuck",)),
    "stuck of a kind": SummaryFilter(kind="trip", statuses=("stuck",), progressed_by_s=10_000.0),
    "stuck at a step with an error": SummaryFilter(statuses=("stuck",), step="bill", error="refund"),
    "of a version that nobody carries": SummaryFilter(statuses=("running",), not_carried=("trip/bb",)),
    "with a dead letter": SummaryFilter(has_dead_letters=True),
    "that owe an undo": SummaryFilter(owes=True),
    "with an unknown outcome": SummaryFilter(is_unknown=True),
}


@pytest.mark.parametrize("order", SummaryOrder)
@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_every_listing_finds_its_rows_by_the_index_and_scans_no_actors(
    connection: apsw.Connection, wanted: SummaryFilter, order: SummaryOrder
) -> None:
    plans = plans_of(connection, lambda: page(connection, wanted, order))
    assert any("INDEX actors_summary (kind=? AND status=?" in plan for plan in plans)
    assert not [plan for plan in plans if plan.startswith("SCAN actors")]


@pytest.mark.parametrize(
    ("wanted", "sought"),
    [
        (SummaryFilter(), "progressed_at_s>?"),
        (SummaryFilter(progressed_by_s=5.0), "progressed_at_s>? AND progressed_at_s<?"),
    ],
)
def test_the_longest_without_progress_come_in_the_order_of_the_index(
    connection: apsw.Connection, wanted: SummaryFilter, sought: str
) -> None:
    plans = plans_of(connection, lambda: page(connection, wanted, SummaryOrder.PROGRESS))
    assert not [plan for plan in plans if "TEMP B-TREE" in plan]
    assert any(f"actors_summary (kind=? AND status=? AND {sought})" in one for one in plans)


def test_a_listing_costs_what_it_shows_and_not_what_there_is(connection: apsw.Connection) -> None:
    stuck = SummaryFilter(statuses=("stuck",))
    assert len(page(connection, stuck, SummaryOrder.PROGRESS)) == PAGE
    assert steps_of(connection, lambda: page(connection, stuck, SummaryOrder.PROGRESS)) < 100 * PAGE
    assert steps_of(connection, lambda: page(connection, SummaryFilter(), SummaryOrder.PROGRESS)) < 500 * PAGE


def test_the_stuck_with_an_error_cost_what_is_stuck(connection: apsw.Connection) -> None:
    wanted = SummaryFilter(statuses=("stuck",), error="no such thing")
    assert steps_of(connection, lambda: page(connection, wanted, SummaryOrder.PROGRESS)) < 100 * STUCK


def test_instances_are_counted_in_the_index_alone(connection: apsw.Connection) -> None:
    plans = plans_of(connection, lambda: count_summaries(connection))
    assert plans == ["SCAN actors USING COVERING INDEX actors_summary"]
    assert sum(count for _, status, count in count_summaries(connection) if status == "stuck") == STUCK


def test_a_listing_reads_one_state_of_the_store(connection: apsw.Connection) -> None:
    seen = list[bool]()

    def note(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        seen.append(connection.in_transaction or sql == "BEGIN DEFERRED")
        return True

    connection.exec_trace = note
    try:
        page(connection, SummaryFilter(), SummaryOrder.PROGRESS)
    finally:
        connection.exec_trace = None
    assert len(seen) > 6 and all(seen) and not connection.in_transaction
