"""`Store` in a SQLite file: every method as a transaction of the writer, or as a read.

What holds of each method is written in runtime/store/roles/; how rows are judged, in memory.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import apsw

from runtime.envelope import Address
from runtime.errors import StoreError
from runtime.ports import Ports
from runtime.store.batch import Batch
from runtime.store.groups import Unit
from runtime.store.marks import Marks
from runtime.store.plan import CommitPlan, encodable
from runtime.store.records import ActorRow, HistoryRow, MailRow, Verdict
from runtime.store.settlement import Traces, was_written
from runtime.store.sqlite.commit import look_up, write
from runtime.store.sqlite.connection import CHECKPOINT_PAGES, log_bytes, translated
from runtime.store.sqlite.keeper import LOG_BYTES_LONG, FileKeeper
from runtime.store.sqlite.links import check_links
from runtime.store.sqlite.names import NameNumbers
from runtime.store.sqlite.operators import SqliteOperators
from runtime.store.sqlite.purge import forget, old_conversations
from runtime.store.sqlite.queries import schema_steps
from runtime.store.sqlite.reader import Reader
from runtime.store.sqlite.rows import actor_row, history_row
from runtime.store.sqlite.schema import check_file, identify
from runtime.store.sqlite.statements import LOAD_ACTORS
from runtime.store.sqlite.watch import FileWatch
from runtime.store.sqlite.writer import Writer

__all__ = ["SqliteStore"]

T = TypeVar("T")

_GIVE_UP_S = 0.5  # for a store that could not be opened to be let go of, before its thread is left behind
_NEAR_ROWS_MAX = 32  # read right on the event loop up to here: about a third of a millisecond


class SqliteStore(SqliteOperators):
    """One file, shared by the nodes of one machine. `path` is absolute or relative to the working directory.

    `wait_s` bounds how long a call waits for other processes before it raises StoreBusy. `vfs` names a registered
    SQLite VFS, for tests that make the disk fail; `checkpoint_pages` is the length of the log, in pages of 4 KiB, from
    which a commit moves it into the file. With `view` it only reads, with nothing but the right to read, and each
    write raises StoreUnavailable.
    """

    def __init__(
        self,
        path: Path,
        ports: Ports,
        *,
        create: bool = True,
        view: bool = False,
        wait_s: float = 10.0,
        vfs: str | None = None,
        checkpoint_pages: int = CHECKPOINT_PAGES,
        steps: Sequence[str] | None = None,
        log_bytes_long: int = LOG_BYTES_LONG,
    ) -> None:
        named = path.absolute()
        self._path = path = Path(os.path.realpath(named))  # one lock and one log, whatever name it is opened by
        self._watch = FileWatch(named, path)
        self._create = create
        self._steps = schema_steps() if steps is None else steps
        writer = Writer(path, ports, wait_s=wait_s, vfs=vfs, checkpoint_pages=checkpoint_pages, watch=self._watch)
        reader = Reader(path, ports, wait_s=wait_s, vfs=vfs, watch=self._watch, view=view)
        # Of membership alone: a read of many rows, and whoever waits behind it, must not cost a node its lease.
        members = Reader(path, ports, wait_s=wait_s, vfs=vfs, watch=self._watch, view=view, of="members")
        super().__init__(ports.clock, writer, reader, members)
        self._view = view
        self._vfs = vfs
        self._keeper = FileKeeper(path, ports, reader, writer, self._watch, vfs=vfs, log_bytes_long=log_bytes_long)
        self._marks = Marks("", "")
        self._names = NameNumbers()

    @property
    def cluster_id(self) -> str:
        return self._marks.cluster_id

    @property
    def cluster_secret(self) -> str:
        return self._marks.secret

    async def open(self) -> None:
        if self._view:
            check_file(self._path, create=False)
            check_links(self._path)
            with translated(self._path):
                self._watch.check_log(self._vfs)
            self._reader.open()
            self._members.open()
            self._marks = await self._reader.patiently(self._identify)
            return
        left_log = log_bytes(self._path) > 0
        try:
            self._marks = await self._writer.open(self._steps, create=self._create)
        except BaseException:
            await self._writer.close(wait_s=_GIVE_UP_S)
            raise
        self._reader.open()
        self._members.open()
        if left_log:
            await self._keeper.check_whole()

    def _identify(self, connection: apsw.Connection) -> Marks:
        return identify(connection, self._path, self._steps)

    async def close(self) -> None:
        await self._members.close()
        await self._reader.close()
        await self._writer.close()

    async def failed(self) -> StoreError:
        """Looks at the file once a second, and gives the error once it is damaged, replaced, or gone from its path."""
        return await self._keeper.failed()

    # --- turns ---

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if not batch:
            return []
        plan = CommitPlan.of(batch)

        def work(connection: apsw.Connection) -> list[Verdict]:
            if isinstance(batch, Batch):
                plan.add(batch.top_up())
            return write(connection, plan, self._names)

        try:
            return await self._writer.transact(work)
        except UnicodeEncodeError:
            # The text of somebody's exception, say, with half a surrogate pair: kept with that spelt out.
            spelt_out = CommitPlan.of([encodable(unit) for unit in batch])
            return await self._writer.transact(lambda connection: write(connection, spelt_out, self._names))

    async def settle(self, batch: Sequence[Unit]) -> list[bool]:
        traces = Traces.of(batch)
        found = await self._writer.settle(lambda connection: look_up(connection, traces))
        return [was_written(unit, found) for unit in batch]

    async def load(self, addresses: Sequence[Address]) -> list[ActorRow | None]:
        def read(connection: apsw.Connection) -> list[ActorRow | None]:
            found = {(row[0], row[1]): actor_row(*row) for row in LOAD_ACTORS.read(connection, addresses)}
            return [found.get(address) for address in addresses]

        return await self._reader.soon(read) if len(addresses) <= _NEAR_ROWS_MAX else await self._reader.patiently(read)

    async def handled(self, keys: Sequence[tuple[bytes, bytes]]) -> list[HistoryRow | None]:
        def read(connection: apsw.Connection) -> list[HistoryRow | None]:
            rows = [connection.execute(self._sql["handled"], key).fetchone() for key in keys]
            return [None if row is None else history_row(*row) for row in rows]

        return await self._reader.soon(read) if len(keys) <= _NEAR_ROWS_MAX else await self._reader.patiently(read)

    # --- sweeping ---

    async def waiting(
        self,
        kind: str,
        shards: Sequence[int],
        *,
        due_before_s: float,
        sent_before_s: float,
        limit: int,
        after: MailRow | None = None,
    ) -> list[MailRow]:
        parameters = {
            "kind": kind,
            "shards": json.dumps(list(shards)),
            "due_before_s": due_before_s,
            "sent_before_s": sent_before_s,
            "limit": limit,
            "is_first": after is None,
            "after_sent_at_s": None if after is None else after.sent_at_s,
            "after_sequence": None if after is None else after.sequence,
            "after_id": None if after is None else after.id,
            "after_key": None if after is None else after.key,
            "after_shard": None if after is None else after.shard,
        }
        return await self._rows(MailRow, "waiting", parameters)

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        kind, key = address
        return await self._rows(MailRow, "waiting_for", {"kind": kind, "shard": shard, "key": key, "limit": limit})

    async def mail_of(self, address: Address, shard: int, id: bytes) -> MailRow | None:
        def read(connection: apsw.Connection) -> MailRow | None:
            row = connection.execute(self._sql["mail_of"], (address[0], shard, address[1], id)).fetchone()
            return None if row is None else MailRow(*row)

        return await self._reader.soon(read)

    async def due(self, kind: str, shards: Sequence[int], *, before_s: float, limit: int) -> list[ActorRow]:
        parameters = {"kind": kind, "shards": json.dumps(list(shards)), "before_s": before_s, "limit": limit}
        return await self._rows(actor_row, "due", parameters)

    async def purge(self, *, handled_before_s: float, limit: int, after: bytes = b"") -> tuple[int, bytes]:
        old, next_after = await self._reader.patiently(
            lambda connection: old_conversations(connection, handled_before_s, limit, after)
        )
        gone = await self._write(lambda connection: forget(connection, old, handled_before_s)) if old else 0
        return gone, next_after

    # --- conversations ---

    async def conversation(self, conversation: bytes) -> list[HistoryRow]:
        return await self._rows(history_row, "conversation", (conversation,))

    async def mail_of_conversation(self, conversation: bytes) -> list[MailRow]:
        return await self._rows(MailRow, "mail_of_conversation", (conversation,))
