"""Statements find their rows by indexes, whatever the tables held when a plan was made."""

from __future__ import annotations

import re
from typing import Any

import pytest

from runtime.store.postgresql.connection import PLANS
from runtime.store.postgresql.statements import named_statements
from runtime.store.records import Verdict
from runtime.testing.conformance.samples import mail_row, post, turn
from tests.unit.store.postgresql.conftest import OpenStore

_TABLES = ("actors", "mail", "history", "committers")
_BY_KEY = (
    "commit",
    "load",
    "handled",
    "find_mail",
    "mail_of",
    "waiting_for",
    "due",
    "actors",
    "conversation",
    "outrun",
)
_READS_ALL = re.compile(rf"Seq Scan on ({'|'.join(_TABLES)})\b|Hash|Merge|Materialize|Memoize")
_INDEX_SCAN = re.compile(r"Index (?:Only )?Scan using \S+ on (\w+)(.*?)(?=->|\Z)", re.DOTALL)


async def plan_of(sql: Any, name: str) -> str:
    """The plan that a session of the store keeps, whatever its parameters."""
    for setting, value in PLANS.items():
        await sql.execute(f"set {setting} = {value}")
    statement = named_statements()[name]
    count = max(map(int, re.findall(r"\$(\d+)", statement)))
    await sql.execute(f"prepare looked_at as {statement}")
    rows = await sql.fetch(f"explain execute looked_at ({', '.join(['null'] * count)})")
    await sql.execute("deallocate looked_at")
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("name", _BY_KEY)
@pytest.mark.parametrize("is_full", [False, True], ids=["empty", "full"])
async def test_rows_are_found_by_an_index(open_store: OpenStore, sql: Any, name: str, is_full: bool) -> None:
    store = await open_store()
    if is_full:
        numbers = range(1, 1_001)
        posts = [post(mail_row(number, f"k{number}", conversation=number)) for number in numbers]
        turns = [turn(number, f"k{number}", conversation=number, due_at_s=5.0) for number in numbers[::2]]
        assert {*await store.commit(posts), *await store.commit(turns)} == {Verdict.COMMITTED}
        await sql.execute("analyze")
    plan = await plan_of(sql, name)
    assert not _READS_ALL.search(plan), plan
    for table, how in _INDEX_SCAN.findall(plan):
        assert "Index Cond" in how, f"all of the index of {table} is read:\n{plan}"


async def test_timers_are_listed_by_key_from_an_index_that_has_the_keys(open_store: OpenStore, sql: Any) -> None:
    await open_store()
    plan = await plan_of(sql, "timed")
    assert "Index Only Scan using actors_due" in plan
    assert [line for line in plan.splitlines() if "starts_with(" in line and "key" in line], plan
    assert not re.search(r"Seq Scan on actors", plan), plan


@pytest.mark.parametrize("name", ["summaries_by_progress", "summaries_by_key"])
async def test_what_actors_tell_of_themselves_is_listed_by_index(open_store: OpenStore, sql: Any, name: str) -> None:
    await open_store()
    plan = await plan_of(sql, name)
    assert "using actors_summary" in plan and not re.search(r"Seq Scan on actors", plan), plan


async def test_what_is_counted_is_found_by_index(open_store: OpenStore, sql: Any) -> None:
    await open_store()
    plan = await plan_of(sql, "tallies")
    for index in ("actors_summary", "actors_owed", "actors_unknown", "actors_due", "mail_pkey", "mail_parked"):
        assert f"using {index}" in plan, plan
    assert re.search(r"Index Cond: .*due_at_s <= ", plan), "it reads no timer that is not due\n" + plan
    assert not re.search(r"Seq Scan on (actors|mail)", plan), plan
