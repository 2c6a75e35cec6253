"""Several nodes on one file: who waits for the lock is not idle."""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path

from runtime.adapters import system_ports
from runtime.errors import StoreError
from runtime.store.committer import Committer
from runtime.store.records import Verdict
from runtime.store.sqlite import SqliteStore
from runtime.testing.conformance.samples import SHARD, mail_row, post


async def test_what_is_submitted_while_another_node_holds_the_file_shares_one_commit(tmp_path: Path) -> None:
    ports = system_ports()
    store = SqliteStore(tmp_path / "shared.db", ports)
    await store.open()
    committer = Committer(store, ports)
    told: list[Verdict | StoreError] = []
    with (tmp_path / "shared.db-lock").open("r+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        for number in range(5):
            committer.submit(post(mail_row(number)), told.append)
            while committer.waiting and number == 0:
                await asyncio.sleep(0)  # the first is on its way to the lock
        assert told == []
    await committer.close()
    assert told == [Verdict.COMMITTED] * 5
    assert committer.stats.commits == 1
    assert len(await store.waiting("billing", [SHARD], due_before_s=1e12, sent_before_s=1e12, limit=10)) == 5
    await store.close()
