"""Rows of history have numbers for texts that stand in very many of them, and every reader has the texts again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from runtime.adapters import system_ports
from runtime.store.columns import HISTORY
from runtime.store.records import HistoryRow, Transition, Verdict
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.names import NameNumbers
from runtime.store.sqlite.queries import schema_steps
from runtime.testing.conformance.samples import history_row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(apsw.Connection(str(tmp_path / "a.db"))) as connection:
        connection.execute(schema_steps()[0])
        connection.execute("pragma journal_mode = wal")
    return tmp_path / "a.db"


@pytest.fixture
def connection(path: Path) -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(str(path))) as connection:
        yield connection


def type_number(names: NameNumbers, connection: apsw.Connection, type: str) -> int:
    """The number that a row of this type gets in a transaction of its own."""
    row = replace(history_row(1), type=type)
    names.begin(connection)
    numbered = names.numbered(connection, HISTORY.values(row))
    number = numbered[HISTORY.names.index("type")]
    assert isinstance(number, int)
    return number


def type_named(connection: apsw.Connection, number: int) -> str:
    return str(connection.execute("select name from names where number = ?", (number,)).get)


def handled(*rows: HistoryRow) -> Transition:
    return Transition(address=("billing", "a"), history=rows)


def test_a_name_that_was_undone_is_numbered_anew(path: Path, connection: apsw.Connection) -> None:
    names = NameNumbers()
    connection.execute("begin immediate")
    undone = type_number(names, connection, "trip.Pay")
    connection.execute("rollback")
    with closing(apsw.Connection(str(path))) as other, other:
        assert type_named(other, type_number(NameNumbers(), other, "trip.Fly")) == "trip.Fly"
    with connection:
        number = type_number(names, connection, "trip.Pay")
        assert type_named(connection, number) == "trip.Pay"
        assert type_named(connection, undone) == "trip.Fly", "the number went to another name meanwhile"


def test_a_name_undone_within_a_transaction_is_numbered_anew_in_it(connection: apsw.Connection) -> None:
    names = NameNumbers()
    with connection:
        names.begin(connection)
        row = HISTORY.values(history_row(1))
        connection.execute("savepoint part")
        names.numbered(connection, row)
        connection.execute("rollback to part")
        connection.execute("release part")
        other = names.numbered(connection, HISTORY.values(replace(history_row(2), kind="hotel", sender="hotel/a")))
        again = names.numbered(connection, row)
        place = HISTORY.names.index("kind")
        assert [type_named(connection, one[place]) for one in (other, again)] == ["hotel", "billing"]  # type: ignore[arg-type]


def test_a_name_that_lies_in_the_store_keeps_its_number(path: Path, connection: apsw.Connection) -> None:
    names = NameNumbers()
    with connection:
        number = type_number(names, connection, "trip.Pay")
    with connection:
        assert type_number(names, connection, "trip.Pay") == number
    with closing(apsw.Connection(str(path))) as other, other:
        assert type_number(NameNumbers(), other, "trip.Pay") == number


def test_a_connection_to_another_file_has_its_own_numbers(connection: apsw.Connection, tmp_path: Path) -> None:
    names = NameNumbers()
    with connection:
        type_number(names, connection, "trip.Pay")
    with closing(apsw.Connection(str(tmp_path / "b.db"))) as other:
        other.execute(schema_steps()[0])
        with other:
            assert type_named(other, type_number(names, other, "trip.Fly")) == "trip.Fly"
            assert type_named(other, type_number(names, other, "trip.Pay")) == "trip.Pay"


@pytest.mark.parametrize(
    "sender", ["", "sales/a", "billing/a", "sales/b", "sales/a/", "sales/", "/a", "a", "client", "7"]
)
async def test_a_sender_is_read_as_it_was_written(sender: str, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db", system_ports())
    await store.open()
    row = replace(history_row(1), sender=sender)
    assert await store.commit([handled(row)]) == [Verdict.COMMITTED]
    assert await store.conversation(row.conversation) == [row]
    await store.close()


async def test_a_row_holds_no_name_but_that_of_a_sender_with_another_key(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db", system_ports())
    await store.open()
    rows = (history_row(1), replace(history_row(2), sender="sales/b"))
    await store.commit([handled(*rows)])
    with closing(apsw.Connection(str(tmp_path / "a.db"))) as connection:
        found = connection.execute("select kind, outcome, node, type, sender from history order by id").fetchall()
        assert [[isinstance(value, int) for value in row] for row in found] == [[True] * 5, [True] * 4 + [False]]
        names = connection.execute("select name from names order by name").fetchall()
        assert [name for (name,) in names] == ["billing", "handled", "one@1", "sales", "trip.Pay"]
    await store.close()


async def test_of_a_kind_or_type_that_no_row_has_nothing_was_handled(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db", system_ports())
    await store.open()
    await store.commit([handled(history_row(1))])
    first = (b"", b"")
    assert await store.handled_of([("billing", "trip.Pay")], limit=9, after=first) == [history_row(1)]
    assert await store.handled_of([("billing", "trip.Fly")], limit=9, after=first) == []
    assert await store.handled_of([("hotel", "trip.Pay")], limit=9, after=first) == []
    await store.close()
