"""Migrations: from nothing, from an older version, and when one breaks."""

from pathlib import Path

import apsw
import pytest

from runtime.errors import StoreTooNew, StoreUnavailable
from runtime.store.records import Verdict
from runtime.store.sqlite.queries import schema_steps
from runtime.store.sqlite.schema import APPLICATION_ID
from runtime.testing.conformance.samples import SHARD, mail_row, post
from tests.unit.store.conftest import OpenStore

_NEXT = "alter table shards add column weight integer not null default 1; create table notes (text text) strict"


def read(path: Path, sql: str) -> object:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(sql).get
    finally:
        connection.close()


async def test_a_new_store_is_marked_as_ours_and_has_the_present_version(path: Path, make_store: OpenStore) -> None:
    store = make_store()
    await store.open()
    await store.close()
    assert read(path, "pragma application_id") == APPLICATION_ID
    assert read(path, "pragma journal_mode") == "wal"
    assert read(path, "select value from meta where name = 'schema'") == str(len(schema_steps()))


async def test_an_older_store_is_brought_up_to_date_with_its_rows(path: Path, make_store: OpenStore) -> None:
    old = make_store()
    await old.open()
    await old.commit([post(mail_row(1))])
    await old.assign("billing", 0, owner="one", expected_epoch=0)
    await old.close()
    new = make_store(steps=[*schema_steps(), _NEXT])
    await new.open()
    assert new.cluster_id == old.cluster_id
    assert await new.waiting_for(("billing", "a"), SHARD, limit=9) == [mail_row(1)]
    await new.close()
    assert read(path, "select value from meta where name = 'schema'") == "2"
    assert read(path, "select weight from shards") == 1


async def test_a_store_made_before_there_was_a_secret_gets_one_at_its_first_opening(
    path: Path, make_store: OpenStore
) -> None:
    old = make_store()
    await old.open()
    await old.close()
    connection = apsw.Connection(str(path))
    connection.execute("delete from meta where name = 'cluster_secret'")
    connection.close()
    looking = make_store(view=True)
    await looking.open()  # with nothing but the right to read
    assert (looking.cluster_id, looking.cluster_secret) == (old.cluster_id, "")
    await looking.close()
    first, second = make_store(), make_store()
    await first.open()
    await second.open()
    assert len(first.cluster_secret) == 64
    assert first.cluster_secret == second.cluster_secret != old.cluster_secret
    assert first.cluster_id == old.cluster_id


async def test_a_running_node_of_the_older_version_cannot_come_back_to_a_newer_store(make_store: OpenStore) -> None:
    new = make_store(steps=[*schema_steps(), _NEXT])
    await new.open()
    with pytest.raises(StoreTooNew):
        await make_store().open()


async def test_a_migration_that_breaks_leaves_the_older_store_usable(path: Path, make_store: OpenStore) -> None:
    old = make_store()
    await old.open()
    await old.commit([post(mail_row(1))])
    await old.close()
    broken = make_store(steps=[*schema_steps(), _NEXT + "; create table notes (again text)"])
    with pytest.raises(StoreUnavailable, match="notes"):
        await broken.open()
    again = make_store()
    await again.open()
    assert await again.commit([post(mail_row(1))]) == [Verdict.DUPLICATE]
    assert read(path, "select count(*) from sqlite_schema where name = 'notes'") == 0


async def test_a_new_store_goes_through_every_step(path: Path, make_store: OpenStore) -> None:
    store = make_store(steps=[*schema_steps(), _NEXT])
    await store.open()
    await store.close()
    assert read(path, "select value from meta where name = 'schema'") == "2"
