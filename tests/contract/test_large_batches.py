"""I15 for batches of more rows than a statement of the SQLite store takes: whoever lost stands alone, in any place.

Up to 32 rows go into one statement, more are cut into powers of two, and at most 128 go into one. A verdict must not
depend on where a transition stands, nor on how many stand beside it.
"""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.adapters import system_ports
from runtime.store.memory import MemoryStore
from runtime.store.port import Store
from runtime.store.records import Expected, Transition, Verdict
from runtime.store.sqlite import SqliteStore
from runtime.testing.conformance.samples import SHARD, actor_row, history_row, id_of, mail_row

SIZES = st.sampled_from([33, 34, 63, 64, 65, 96, 127, 128, 129, 160, 200, 257])
_KIND = "billing"


def _first(number: int) -> Transition:
    """An actor with two messages that wait."""
    mail = (mail_row(2 * number, _key(number)), mail_row(2 * number + 1, _key(number)))
    return Transition(actor=actor_row(_key(number), last=number), expected=Expected(0, b""), mail=mail)


def _turn(number: int, *, conflicts: bool, lacks_mail: bool) -> Transition:
    """Its next turn, which handles one message; or one that started from another row, or whose message is not there."""
    id = 900_000 + number if lacks_mail else 2 * number
    was = id_of(800_000 + number) if conflicts else id_of(number)
    actor = replace(actor_row(_key(number), last=700_000 + number), revision=2)
    handled = history_row(id, _key(number), conversation=number)
    return Transition(actor=actor, expected=Expected(1, was), consumed=(id_of(id),), history=(handled,))


def _key(number: int) -> str:
    return f"k{number:04}"


async def _verdicts(store: Store, size: int, late: Collection[int], bereft: Collection[int]) -> list[Verdict]:
    first = await store.commit([_first(number) for number in range(size)])
    assert set(first) == {Verdict.COMMITTED}
    turns = [_turn(number, conflicts=number in late, lacks_mail=number in bereft) for number in range(size)]
    return await store.commit(turns)


async def _rows(store: Store, size: int) -> list[object]:
    found: list[object] = [await store.actors(_KIND, limit=999)]
    for number in range(size):
        found.append(await store.waiting_for((_KIND, _key(number)), SHARD, limit=9))
    return found


async def _compare(size: int, late: Collection[int], bereft: Collection[int], path: Path) -> None:
    memory, sqlite = MemoryStore(system_ports()), SqliteStore(path, system_ports())
    await sqlite.open()
    try:
        expected = await _verdicts(memory, size, late, bereft)
        assert {number for number, one in enumerate(expected) if one is not Verdict.COMMITTED} == {*late, *bereft}
        assert await _verdicts(sqlite, size, late, bereft) == expected
        assert await _rows(sqlite, size) == await _rows(memory, size)
    finally:
        await sqlite.close()


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, set[int], set[int]]:
    size = draw(SIZES)
    places = st.integers(0, size - 1) | st.sampled_from([0, 31, 32, size - 1])
    return size, draw(st.sets(places, max_size=6)), draw(st.sets(places, max_size=6))


@pytest.mark.timeout(900)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batch=batches())
def test_i15_who_lost_in_a_large_batch_stands_alone_on_sqlite_as_in_memory(
    batch: tuple[int, set[int], set[int]],
) -> None:
    size, late, bereft = batch
    with TemporaryDirectory() as folder:
        asyncio.run(_compare(size, late, bereft, Path(folder) / "amends.db"))
