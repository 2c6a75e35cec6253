"""A store is copied whole into an empty one, or refused with the reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from runtime.adapters import system_ports
from runtime.errors import CommitUnknown, StoreCorrupt
from runtime.operate import copying
from runtime.operate.copying import CopyRefused, StoreCopied, copy_store
from runtime.store.definitions import DefinitionRow
from runtime.store.groups import Unit
from runtime.store.memory import MemoryStore
from runtime.store.port import Store
from runtime.store.postgresql.store import PostgresqlStore
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.records import Subscription, Verdict
from runtime.store.sqlite import SqliteStore
from runtime.testing.conformance.samples import SHARD, mail_row, node_row, post
from runtime.testing.processes.postgresql.server import PostgresServer
from tests.unit.operate.full_store import ROWS, everything, fill


@pytest.fixture(autouse=True)
def pages_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "_PAGE", 5)


@pytest.fixture
def target() -> MemoryStore:
    return MemoryStore(system_ports())


async def test_all_of_a_store_goes_to_another_engine_and_back(tmp_path: Path, target: MemoryStore) -> None:
    told: list[tuple[str, int]] = []
    source, between = MemoryStore(system_ports()), SqliteStore(tmp_path / "between.db", system_ports())
    await fill(source)
    await between.open()
    try:
        copied = await copy_store(source, between, lambda table, count: told.append((table, count)))
        assert await copy_store(between, target, lambda *_: None) == copied
    finally:
        await between.close()
    assert copied == StoreCopied(ROWS, ROWS, ROWS + 1, definitions=2, proofs=11, subscriptions=3)
    assert await everything(target) == await everything(source)
    assert told[:2] == [("mail", 5), ("mail", 10)]
    owners = {row.owner for row in (await target.cluster()).shards}
    assert owners == {""}


async def test_a_source_with_live_nodes_is_refused_by_their_names(target: MemoryStore) -> None:
    source = MemoryStore(system_ports())
    for name, lease_s in (("one", 60.0), ("dead", -1.0), ("two", 60.0)):
        await source.join(node_row(name), lease_s=lease_s)
    with pytest.raises(CopyRefused, match="nodes run on the source: one, two; stop them first"):
        await copy_store(source, target, lambda *_: None)


async def test_a_target_that_has_anything_is_refused_by_what_it_has(target: MemoryStore) -> None:
    await target.commit([post(mail_row(1))])
    await target.subscribe([Subscription("Paid", "sales", "id")], kind="sales")
    with pytest.raises(CopyRefused, match="not empty, it has mail, subscriptions; name a new store"):
        await copy_store(MemoryStore(system_ports()), target, lambda *_: None)


async def test_nodes_that_run_during_the_copy_are_found_out(target: MemoryStore) -> None:
    source = MemoryStore(system_ports())
    await fill(source)

    async def run_a_node() -> None:
        await source.assign("billing", 3, owner="", expected_epoch=1)

    with pytest.raises(CopyRefused, match="nodes have run on the source during the copy"):
        await copy_store(source, _Hooked(target, run_a_node), lambda *_: None)


async def test_a_copy_that_is_not_the_same_is_found_out(target: MemoryStore) -> None:
    source = MemoryStore(system_ports())
    await fill(source)

    async def lose_one() -> None:
        target._mail["billing", SHARD].popitem()

    with pytest.raises(CopyRefused, match="the mail of both differs: 23 rows in the source, 22 in the target"):
        await copy_store(source, _Hooked(target, lose_one), lambda *_: None)


async def test_a_file_with_half_a_copy_is_refused_by_all_and_a_whole_one_is_not(tmp_path: Path) -> None:
    await _fails_halfway(SqliteStore(tmp_path / "half.db", system_ports()))
    for view in (False, True):
        with pytest.raises(StoreCorrupt, match=r"a copy that is not finished; .* remove this store and copy anew"):
            await _opened_and_closed(SqliteStore(tmp_path / "half.db", system_ports(), view=view))
    await _copied_whole(SqliteStore(tmp_path / "whole.db", system_ports()))
    await _opened_and_closed(SqliteStore(tmp_path / "whole.db", system_ports()))


async def test_a_database_with_half_a_copy_is_refused_by_all_and_a_whole_one_is_not(
    postgres_server: PostgresServer,
) -> None:
    half, whole = [PostgresqlTarget.of(await postgres_server.create_database()) for _ in range(2)]
    await _fails_halfway(PostgresqlStore(half, system_ports()))
    for view in (False, True):
        with pytest.raises(StoreCorrupt, match=r"a copy that is not finished; .* remove this store and copy anew"):
            await _opened_and_closed(PostgresqlStore(half, system_ports(), view=view))
    await _copied_whole(PostgresqlStore(whole, system_ports()))
    await _opened_and_closed(PostgresqlStore(whole, system_ports()))


async def _fails_halfway(target: Store) -> None:
    """As if the process that copies died: nothing is put right."""
    source = MemoryStore(system_ports())
    await fill(source)

    def die(table: str, count: int) -> None:
        if table == "history":
            raise KeyboardInterrupt

    await target.open()
    with pytest.raises(KeyboardInterrupt):
        await copy_store(source, target, die)
    await target.close()


async def _copied_whole(target: Store) -> None:
    source = MemoryStore(system_ports())
    await fill(source)
    await target.open()
    await copy_store(source, target, lambda *_: None)
    await target.close()


async def _opened_and_closed(store: Store) -> None:
    try:
        await store.open()
    finally:
        await store.close()


@pytest.mark.parametrize("is_written", [True, False])
async def test_a_commit_of_unknown_outcome_is_asked_for_and_written_once(
    target: MemoryStore, monkeypatch: pytest.MonkeyPatch, is_written: bool
) -> None:
    source = MemoryStore(system_ports())
    await fill(source)
    commit, calls = target.commit, [0]

    async def sometimes(batch: Sequence[Unit]) -> list[Verdict]:
        calls[0] += 1
        if calls[0] % 2 == 0:
            return await commit(batch)
        if is_written:
            await commit(batch)
        raise CommitUnknown("the reply was lost")

    monkeypatch.setattr(target, "commit", sometimes)
    await copy_store(source, target, lambda *_: None)
    assert await everything(target) == await everything(source)


class _Hooked(MemoryStore):
    """The same rows as another store; does something once the definitions are kept."""

    def __init__(self, rows: MemoryStore, act: Callable[[], Awaitable[None]]) -> None:
        self.__dict__ = rows.__dict__
        self.act = act

    async def keep_definitions(self, definitions: Sequence[DefinitionRow]) -> None:
        await super().keep_definitions(definitions)
        await self.act()
