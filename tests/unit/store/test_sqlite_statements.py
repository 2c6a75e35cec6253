"""The statements over many rows: how they are cut, and that none of them passes over a whole table."""

import re

import apsw
import pytest

from runtime.store.columns import TABLES, Columns
from runtime.store.sqlite.queries import named_queries, schema_steps
from runtime.store.sqlite.statements import (
    DELETE_MAIL,
    INSERT_ACTORS,
    INSERT_HISTORY,
    INSERT_MAIL,
    LOAD_ACTORS,
    RESCHEDULE_MAIL,
    UPDATE_ACTORS,
    ManyRows,
)

EVERY = [DELETE_MAIL, INSERT_ACTORS, INSERT_HISTORY, INSERT_MAIL, LOAD_ACTORS, RESCHEDULE_MAIL, UPDATE_ACTORS]


@pytest.fixture
def connection() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    connection.execute(schema_steps()[0])
    return connection


@pytest.mark.parametrize("columns", TABLES, ids=lambda columns: columns.table)
def test_the_schema_has_the_columns_of_the_records(connection: apsw.Connection, columns: Columns) -> None:
    assert sorted(_columns_of(connection, columns.table)) == sorted(columns.names)


def test_what_may_be_long_lies_behind_all_that_is_read_without_it(connection: apsw.Connection) -> None:
    """SQLite walks through a long value to reach the column behind it."""
    assert _columns_of(connection, "actors")[-2:] == ["state", "timers"]
    assert _columns_of(connection, "mail")[-1] == "envelope"


def _columns_of(connection: apsw.Connection, table: str) -> list[str]:
    return [name for (name,) in connection.execute("select name from pragma_table_info(?)", (table,))]


@pytest.mark.parametrize("count", [0, 1, 31, 32, 33, 100, 127, 128, 129, 700])
def test_any_number_of_rows_is_written_and_counted(connection: apsw.Connection, count: int) -> None:
    connection.execute("create table pairs (a primary key, b)")
    insert = ManyRows("insert into pairs values {rows} on conflict do nothing", 2)
    parameters: list[object] = [value for number in range(count) for value in (number, "x")]
    assert insert.run(connection, parameters)
    assert connection.execute("select count(*) from pairs").get == count
    if count:
        assert not insert.run(connection, [*parameters, 9_999, "x"])
        assert connection.execute("select count(*) from pairs").get == count + 1


def test_few_statements_are_made_for_many_sizes(connection: apsw.Connection) -> None:
    connection.execute("create table numbers (a)")
    insert = ManyRows("insert into numbers values {rows}", 1)
    seen: list[str] = []

    def note(cursor: apsw.Cursor, sql: str, bindings: object) -> bool:
        seen.append(sql)
        return True

    connection.exec_trace = note
    for count in range(600):
        insert.run(connection, list(range(count)))
    assert len(set(seen)) == 34  # 1 to 32, 64 and 128


@pytest.mark.parametrize("statement", EVERY, ids=lambda statement: statement.text.split()[0])
@pytest.mark.parametrize("count", [1, 3, 128])
def test_no_statement_over_many_rows_scans_a_table(
    connection: apsw.Connection, statement: ManyRows, count: int
) -> None:
    row = "(" + ", ".join("?" * statement.width) + ")"
    sql = statement.text.replace("{rows}", ", ".join([row] * count))
    plan = connection.execute(f"explain query plan {sql}", [None] * statement.width * count)
    for _, _, _, detail in plan:
        assert not detail.startswith("SCAN") or "CONSTANT" in detail or "VALUES" in detail or "wanted" in detail


@pytest.mark.parametrize("name", ["handled", "find_mail", "mail_of", "waiting_for", "conversation", "actors", "forget"])
def test_no_frequent_query_scans_a_table(connection: apsw.Connection, name: str) -> None:
    plan = connection.execute(f"explain query plan {named_queries()[name]}", _nothing(named_queries()[name]))
    assert [detail for _, _, _, detail in plan if detail.startswith("SCAN")] == []


def test_due_timers_are_found_by_their_index(connection: apsw.Connection) -> None:
    plan = connection.execute(f"explain query plan {named_queries()['due']}", _nothing(named_queries()["due"]))
    assert any("actors_due" in detail for _, _, _, detail in plan)


def test_every_named_query_can_be_prepared(connection: apsw.Connection) -> None:
    for sql in named_queries().values():
        list(connection.execute(f"explain {sql}", _nothing(sql)))


def _nothing(sql: str) -> dict[str, None] | tuple[None, ...]:
    """Parameters for a statement that is only prepared."""
    names = re.findall(r":(\w+)", sql)
    return dict.fromkeys(names) if names else (None,) * sql.count("?")
