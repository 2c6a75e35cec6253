"""What a store holds for each order is counted in the store itself, to the byte."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from click.testing import CliRunner

from bench.bytes import StoreBytes, bytes_of, lines, main
from runtime.adapters import system_ports
from runtime.errors import InvalidSettings, StoreUnavailable
from runtime.store.postgresql.store import PostgresqlStore
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.records import HistoryRow, Transition
from runtime.store.sqlite import SqliteStore
from runtime.testing.conformance.samples import EMPTY, actor_row, history_row, told
from runtime.testing.processes.postgresql.server import PostgresServer

SAGA = "order-process"
LENGTHS = (0, 57, 58, 8_185, 8_186, 70_000)  # Around those where a value's type takes a byte more.
NUMBERS = (0, 1, 2, 127, 128, 40_000, 10_000_000, 3_000_000_000, 1 << 50)  # Each takes more bytes than the one before.


def turns() -> list[Transition]:
    rows = [actor_row(f"{place:03}", last=place, kind="sales", state=b"s" * n) for place, n in enumerate(LENGTHS)]
    rows += [actor_row(f"{n}", last=n, kind=SAGA, revision=n, due_at_s=float(n), summary=told()) for n in NUMBERS]
    return [Transition(actor=row, expected=EMPTY, history=(_handled(row.kind, n),)) for n, row in enumerate(rows)]


def _handled(kind: str, number: int) -> HistoryRow:
    length = LENGTHS[number % len(LENGTHS)]
    row = history_row(number, kind=kind, handled_at_s=NUMBERS[number % len(NUMBERS)] + number % 2 / 2)
    return replace(row, caused=b"c" * length, error="é" * (length // 2), revision=NUMBERS[number % len(NUMBERS)])


async def filled(path: Path) -> str:
    store = SqliteStore(path, system_ports())
    await store.open()
    await store.commit(turns())
    await store.close()
    return f"sqlite:///{path}"


def dbstat(path: Path, column: str) -> dict[str, int]:
    with closing(apsw.Connection(str(path))) as connection:
        return dict(connection.execute(f"select name, sum({column}) from dbstat group by name"))


class TestInSqlite:
    async def test_the_columns_of_all_rows_make_up_what_the_tables_hold(self, tmp_path: Path) -> None:
        found = await bytes_of(await filled(tmp_path / "a.db"))
        holds = dbstat(tmp_path / "a.db", "payload")
        assert sum(found.actors.values()) == holds["actors"]
        assert sum(found.history.values()) == holds["history"]

    async def test_all_parts_make_up_the_pages_of_both_tables_and_their_indexes(self, tmp_path: Path) -> None:
        found = await bytes_of(await filled(tmp_path / "a.db"))
        sizes = dbstat(tmp_path / "a.db", "pgsize")
        ours = [name for name in sizes if name == "history" or "actors" in name]
        assert len(ours) == 7
        assert found.whole == sum(sizes[name] for name in ours)

    async def test_a_saga_has_its_rows_in_both_tables_and_its_entries_in_the_indexes(self, tmp_path: Path) -> None:
        path = tmp_path / "a.db"
        whole = await bytes_of(await filled(path))
        with closing(apsw.Connection(str(path))) as connection:
            connection.execute("delete from actors where kind <> ?", (SAGA,))
            connection.execute("delete from history where kind <> (select number from names where name = ?)", (SAGA,))
        left = dbstat(path, "payload")
        assert whole.saga_rows == left["actors"] + left["history"]
        indexes = [size for name, size in left.items() if "actors" in name and name != "actors"]
        assert whole.saga_indexes == sum(indexes)

    async def test_a_store_without_orders_is_refused(self, tmp_path: Path) -> None:
        store = SqliteStore(tmp_path / "a.db", system_ports())
        await store.open()
        await store.close()
        with pytest.raises(InvalidSettings, match="no order"):
            (await bytes_of(f"sqlite:///{tmp_path / 'a.db'}")).each()

    async def test_a_file_that_is_not_there_is_not_made(self, tmp_path: Path) -> None:
        with pytest.raises(StoreUnavailable, match="no store"):
            await bytes_of(f"sqlite:///{tmp_path / 'a.db'}")
        assert not list(tmp_path.iterdir())

    async def test_a_store_of_another_engine_is_refused(self) -> None:
        with pytest.raises(InvalidSettings, match="memory:"):
            await bytes_of("memory:")


class TestInPostgresql:
    async def test_all_parts_make_up_the_relations_of_both_tables(self, postgres_server: PostgresServer) -> None:
        url = f"{postgres_server.url}?schema=test_bytes"
        store = PostgresqlStore(PostgresqlTarget.of(url), system_ports())
        await store.open()
        await store.commit(turns())
        await store.close()
        found = await bytes_of(url)
        assert found.orders == len(LENGTHS)
        assert set(found.actors) == {"sales", SAGA}
        assert min(found.saga_rows, found.saga_indexes, found.indexes, found.pages) > 0
        assert found.actors[SAGA] < found.saga_rows < found.actors[SAGA] + sum(found.history.values())


class TestFigures:
    def test_figures_are_those_of_one_order(self) -> None:
        found = StoreBytes(2, {"sales": 200}, {"node": 100}, indexes=60, pages=40, saga_rows=120, saga_indexes=20)
        assert found.each() == {
            "whole": 200,
            "without_pages": 180,
            "saga": 70,
            "actors": {"sales": 100},
            "history": {"node": 50},
            "indexes": 30,
            "pages": 20,
        }
        assert "       100 actors: sales 100" in list(lines(found.each()))

    def test_the_command_says_what_is_wrong_with_a_store(self) -> None:
        result = CliRunner().invoke(main, ["--store", "mysql://amends:secret@db/orders"])
        assert result.exit_code == 1
        assert "mysql://amends:***@db/orders" in result.output
        assert "secret" not in result.output
