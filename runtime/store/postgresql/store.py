"""`Store` in a PostgreSQL database: every method as one statement on a lane of its own purpose.

What holds of each method is written in runtime/store/roles/; how rows are judged, in memory.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from runtime.envelope import Address
from runtime.errors import CommitUnknown, StoreError
from runtime.ports import Ports
from runtime.store.another_history import AnotherHistory
from runtime.store.groups import Unit
from runtime.store.marks import Marks
from runtime.store.parked import ParkedPlace
from runtime.store.plan import Attempts, CommitPlan, encodable
from runtime.store.postgresql.commit import Fence, write
from runtime.store.postgresql.connection import SessionLimits
from runtime.store.postgresql.lane import StoreLane
from runtime.store.postgresql.notes import Notes
from runtime.store.postgresql.proofs import PostgresqlProofs
from runtime.store.postgresql.rows import actor_row, history_row, mail_row
from runtime.store.postgresql.schema import identify, prepare
from runtime.store.postgresql.settle import settle
from runtime.store.postgresql.statements import schema_steps
from runtime.store.postgresql.summaries import read_summaries
from runtime.store.postgresql.tallies import read_tallies
from runtime.store.postgresql.target import PostgresqlTarget
from runtime.store.postgresql.text import given, kept, kept_column
from runtime.store.postgresql.timeline import Timeline
from runtime.store.records import ActorRow, HistoryRow, MailRow, Verdict
from runtime.store.summaries import SummaryFilter, SummaryOrder, SummaryPlace, SummaryRow
from runtime.store.tallies import Tallies
from runtime.store.timed import TimedFilter, TimedPlace

__all__ = ["PostgresqlStore"]

T = TypeVar("T")

_FIRST_DUE = TimedPlace(-math.inf, "", "")
_MEMBERS_STATEMENT_S = 5.0
_MEMBERS_WAIT_S = 2.0
_FORGET_FENCES_S = 7 * 86_400.0  # A fence of a process that died; one that is missed is made anew.


class PostgresqlStore(PostgresqlProofs):
    """One database, or one schema of it, shared by the nodes of a cluster; the URL is described in target.py.

    With `create=False`, `open` raises StoreUnavailable instead of making the tables. With `view` it only reads, with
    nothing but the right to read, from a standby as well; each write raises an error.
    """

    def __init__(
        self,
        target: PostgresqlTarget,
        ports: Ports,
        *,
        create: bool = True,
        view: bool = False,
        steps: Sequence[str] | None = None,
    ) -> None:
        self._target = target
        self._ports = ports
        self._create = create
        self._view = view
        self._steps = schema_steps() if steps is None else steps
        settings = target.settings
        self._timeline = Timeline(target.at)
        wait_s, statement_s = settings.reconnect_s, settings.statement_s
        self._commits = StoreLane(
            target, ports, SessionLimits("commits", statement_s, read_only=view), wait_s=wait_s, timeline=self._timeline
        )
        session = SessionLimits("reads", statement_s, read_only=view)
        reads = StoreLane(target, ports, session, size=settings.readers, wait_s=wait_s, timeline=self._timeline)
        # A lease cannot wait for long: who renews it asks again soon, and gives up in time.
        session = SessionLimits("members", min(statement_s, _MEMBERS_STATEMENT_S), read_only=view)
        members = StoreLane(target, ports, session, wait_s=min(wait_s, _MEMBERS_WAIT_S), timeline=self._timeline)
        super().__init__(members, reads, Notes(target, ports))
        self._fence = Fence(ports.ids.new_id().hex())
        self._marks = Marks("", "")

    @property
    def cluster_id(self) -> str:
        return self._marks.cluster_id

    @property
    def cluster_secret(self) -> str:
        return self._marks.secret

    async def open(self) -> None:
        for lane in self._lanes():
            lane.open()
        try:
            if self._view:
                self._marks = await self._reads.read(lambda one: identify(one, self._target, self._steps))
            else:
                self._marks = await self._commits.repeatable(self._prepare)
                self._notes.open()
            for lane in self._lanes():
                lane.belong_to(self._marks.cluster_id)
        except BaseException:
            await self._close_lanes()
            raise

    async def turned(self) -> AnotherHistory:
        """By the timeline of the server, which each new connection tells."""
        return await self._timeline.turned()

    async def _prepare(self, connection: Any) -> Marks:
        new_id = self._ports.ids.new_id
        return await prepare(connection, self._target, self._steps, new_id, create=self._create)

    async def close(self) -> None:
        await self._notes.close()
        if self._marks.cluster_id and not self._view:
            await self._dismiss()
        await self._close_lanes()

    async def _dismiss(self) -> None:
        """Remove the row that commits lock. One that stays is removed by another store, a week later."""
        values = (self._fence.name, _FORGET_FENCES_S)
        try:
            await self._commits.repeatable(lambda one: one.execute(self._sql["dismiss"], *values))
        except StoreError:
            return

    async def _close_lanes(self) -> None:
        for lane in self._lanes():
            await lane.close()

    def _lanes(self) -> tuple[StoreLane, ...]:
        return self._commits, self._reads, self.members

    # --- turns ---

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if not batch:
            return []
        try:
            return await self._commit(batch)
        except UnicodeEncodeError:
            # The text of somebody's exception, say, with half a surrogate pair: kept with that spelt out.
            return await self._commit([encodable(unit) for unit in batch])

    async def _commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        attempts = Attempts(CommitPlan.of(batch))
        while (plan := attempts.next()) is not None:
            attempts.tell(await self._write_part(plan, is_first=not attempts.verdicts))
        return attempts.verdicts

    async def _write_part(self, plan: CommitPlan, *, is_first: bool) -> Verdict:
        try:
            return await self._commits.write(lambda one: write(one, plan, self._fence))
        except StoreError as error:
            if is_first or isinstance(error, CommitUnknown):
                raise
            raise CommitUnknown(f"a part of the batch was refused after others were written ({error})") from error

    async def settle(self, batch: Sequence[Unit]) -> list[bool]:
        await self._commits.drop_all()
        return await self._commits.repeatable(lambda one: settle(one, batch, self._fence))

    async def load(self, addresses: Sequence[Address]) -> list[ActorRow | None]:
        kinds, keys = kept_column(kind for kind, _ in addresses), kept_column(key for _, key in addresses)
        rows = await self._rows(actor_row, "load", kinds, keys) if addresses else []
        found = {row.address: row for row in rows}
        return [found.get(address) for address in addresses]

    async def handled(self, keys: Sequence[tuple[bytes, bytes]]) -> list[HistoryRow | None]:
        conversations, ids = [conversation for conversation, _ in keys], [id for _, id in keys]
        rows = await self._rows(history_row, "handled", conversations, ids) if keys else []
        found = {(row.conversation, row.id): row for row in rows}
        return [found.get(key) for key in keys]

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
        values = [kept(kind), [*shards], due_before_s, sent_before_s, limit]
        if after is None:
            return await self._rows(mail_row, "waiting", *values)
        values += [after.sent_at_s, after.sequence, after.id, kept(after.key), after.shard]
        return await self._rows(mail_row, "waiting_after", *values)

    async def waiting_for(self, address: Address, shard: int, *, limit: int) -> list[MailRow]:
        return await self._rows(mail_row, "waiting_for", kept(address[0]), shard, kept(address[1]), limit)

    async def mail_of(self, address: Address, shard: int, id: bytes) -> MailRow | None:
        rows = await self._rows(mail_row, "mail_of", kept(address[0]), shard, kept(address[1]), id)
        return rows[0] if rows else None

    async def due(self, kind: str, shards: Sequence[int], *, before_s: float, limit: int) -> list[ActorRow]:
        return await self._rows(actor_row, "due", kept(kind), [*shards], before_s, limit)

    async def purge(self, *, handled_before_s: float, limit: int, after: bytes = b"") -> tuple[int, bytes]:
        """Looks in one statement, and forgets in another, which looks again at each conversation."""
        rows = await self._reads.read(lambda one: one.fetch(self._sql["old_conversations"], after, limit))
        next_after = rows[-1][0] if rows and rows[-1][2] else b""
        old = [conversation for conversation, handled_at_s, _ in rows if handled_at_s < handled_before_s]
        if not old:
            return 0, next_after
        gone = await self.members.repeatable(lambda one: one.fetchval(self._sql["forget"], old, handled_before_s))
        return gone, next_after

    # --- operators ---

    async def forget_record(self, row: ActorRow) -> None:
        values = (kept(row.kind), kept(row.key), row.revision, row.last_id)
        await self.members.repeatable(lambda one: one.execute(self._sql["forget_record"], *values))

    async def conversation(self, conversation: bytes) -> list[HistoryRow]:
        return await self._rows(history_row, "conversation", conversation)

    async def handled_of(
        self, wanted: Sequence[tuple[str, str]], *, limit: int, after: tuple[bytes, bytes]
    ) -> list[HistoryRow]:
        pairs = kept_column(f"{kind}/{type}" for kind, type in wanted)
        return await self._rows(history_row, "handled_of", pairs, *after, limit)

    async def mail_of_conversation(self, conversation: bytes) -> list[MailRow]:
        return await self._rows(mail_row, "mail_of_conversation", conversation)

    async def dead_letters(self, *, limit: int, after: ParkedPlace | None = None) -> list[MailRow]:
        place = ("", "", -1) if after is None else (kept(after.kind), kept(after.key), after.shard)
        return await self._rows(mail_row, "dead_letters", b"" if after is None else after.id, *place, limit)

    async def actors_with_key(self, key: str) -> list[ActorRow]:
        return await self._rows(actor_row, "actors_with_key", kept(key))

    async def mail_with_key(self, key: str) -> list[tuple[str, int]]:
        return await self._rows(lambda row: (given(row[0]), int(row[1])), "mail_with_key", kept(key))

    async def actors(self, kind: str, *, limit: int, after: str = "") -> list[ActorRow]:
        return await self._rows(actor_row, "actors", kept(kind), kept(after), limit)

    async def every_actor(self, *, limit: int, after: Address = ("", "")) -> list[ActorRow]:
        return await self._rows(actor_row, "every_actor", kept(after[0]), kept(after[1]), limit)

    async def every_mail(self, *, limit: int, after: MailRow | None = None) -> list[MailRow]:
        place = ("", -1, "", b"") if after is None else (kept(after.kind), after.shard, kept(after.key), after.id)
        return await self._rows(mail_row, "every_mail", *place, limit)

    async def every_handled(self, *, limit: int, after: tuple[bytes, bytes] = (b"", b"")) -> list[HistoryRow]:
        return await self._rows(history_row, "every_handled", *after, limit)

    async def timed(self, wanted: TimedFilter, *, limit: int, after: TimedPlace | None = None) -> list[ActorRow]:
        place = after or _FIRST_DUE
        values = [kept_column(wanted.kinds), kept(wanted.prefix), wanted.due_by_s]
        values += [place.due_at_s, kept(place.kind), kept(place.key), limit]
        return await self._rows(actor_row, "timed", *values)

    async def summaries(
        self,
        wanted: SummaryFilter,
        *,
        limit: int,
        order: SummaryOrder = SummaryOrder.PROGRESS,
        after: SummaryPlace | None = None,
    ) -> list[SummaryRow]:
        return await self._reads.read(lambda one: read_summaries(one, wanted, order=order, limit=limit, after=after))

    async def summary_counts(self) -> list[tuple[str, str, int]]:
        return await self._rows(lambda row: (given(row[0]), given(row[1]), int(row[2])), "summary_counts")

    async def tallies(self, *, uncounted: Sequence[str], actors_max: int, mail_max: int) -> Tallies:
        return await self._reads.read(
            lambda one: read_tallies(one, uncounted=uncounted, actors_max=actors_max, mail_max=mail_max)
        )

    async def version_counts(self, statuses: Sequence[str] = ()) -> list[tuple[str, str, str, int]]:
        rows = await self._rows(tuple, "version_counts", kept_column(statuses))
        return [(given(kind), given(version), given(status), int(count)) for kind, version, status, count in rows]

    async def _rows(self, make: Callable[[Any], T], name: str, *values: object) -> list[T]:
        rows = await self._reads.read(lambda one: one.fetch(self._sql[name], *values))
        return [make(row) for row in rows]
