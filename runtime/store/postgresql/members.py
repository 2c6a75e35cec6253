"""The part of the store in PostgreSQL that members keep: nodes, shards, subscriptions, definitions, names of kinds,
lived time, busy handlers.

    join, renew, evict, assign, cluster ──▶ a StoreLane of their own: a lease waits for no commit and no read

Every method is one statement. Leases are by the clock of the server, which is read where a row is written or judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from runtime.errors import StoreBusy
from runtime.store.busy import BUSY_KEPT_S, busy_from_text, busy_to_text, says_something
from runtime.store.columns import DEFINITIONS
from runtime.store.definitions import DefinitionRow
from runtime.store.lived import Lived
from runtime.store.marks import HALF_COPIED
from runtime.store.postgresql.lane import StoreLane
from runtime.store.postgresql.notes import Notes
from runtime.store.postgresql.rows import cluster_view, definition_row, node_row
from runtime.store.postgresql.statements import named_statements
from runtime.store.postgresql.text import given, kept, kept_column
from runtime.store.records import Busy, ClusterView, NodeRow, ShardRow, Subscription

__all__ = ["PostgresqlMembers"]

_JOINS_MAX = 5  # A row that is in the way may be gone when it is looked at.


class PostgresqlMembers:
    """What `Store` says of membership. `members` is what leases depend on, `reads` what may take long."""

    def __init__(self, members: StoreLane, reads: StoreLane, notes: Notes) -> None:
        self.members = members
        self._reads = reads
        self._notes = notes
        self._sql = named_statements()
        self._left: frozenset[tuple[str, str]] = frozenset()  # name and incarnation of those that have left

    async def now_s(self) -> float:
        return float(await self._reads.read(lambda one: one.fetchval(self._sql["now"])))

    async def join(self, node: NodeRow, *, lease_s: float, replace: str = "") -> NodeRow | None:
        values: list[object] = [kept(node.name), kept(node.incarnation), kept(node.address), kept_column(node.kinds)]
        values += [kept(node.version), lease_s, node.clock_off_s, kept_column(node.carries), kept(replace)]

        async def put(connection: Any) -> NodeRow | None:
            for _ in range(_JOINS_MAX):
                if await connection.fetchval(self._sql["join"], *values):
                    return None
                other = await connection.fetchval(self._sql["node"], values[0])
                if other is not None:
                    return node_row(other)
            return node  # Others of its name come and go all the time: it is refused by a row like its own.

        return await self.members.repeatable(put)

    async def renew(self, name: str, incarnation: str, *, lease_s: float, clock_off_s: float | None = None) -> bool:
        return await self._write("renew", kept(name), kept(incarnation), lease_s, clock_off_s)

    async def leave(self, name: str, incarnation: str) -> None:
        self._left |= {(name, incarnation)}
        await self._notes.written()
        await self._write("leave", kept(name), kept(incarnation))

    async def evict(self, name: str, incarnation: str) -> bool:
        return await self._write("evict", kept(name), kept(incarnation))

    async def assign(self, kind: str, shard: int, *, owner: str, expected_epoch: int) -> bool:
        return (await self.assign_many([ShardRow(kind, shard, owner, expected_epoch)]))[0]

    async def assign_many(self, wanted: Sequence[ShardRow]) -> list[bool]:
        """A shard that is wanted twice is assigned twice, one after the other."""
        answers = [False] * len(wanted)
        left = [*enumerate(wanted)]
        while left:
            first = {(row.kind, row.shard): (place, row) for place, row in reversed(left)}
            for place in await self._assign([one for _, one in sorted(first.items())]):
                answers[place] = True
            done = {place for place, _ in first.values()}
            left = [one for one in left if one[0] not in done]
        return answers

    async def _assign(self, wanted: Sequence[tuple[int, ShardRow]]) -> list[int]:
        """Each shard once, in order; gives the places of those that were assigned."""
        rows = [row for _, row in wanted]
        kinds, owners = [kept(row.kind) for row in rows], [kept(row.owner) for row in rows]
        values = (kinds, [row.shard for row in rows], owners, [row.epoch for row in rows])
        found = await self.members.repeatable(lambda one: one.fetch(self._sql["assign"], *values))
        assigned = {(kind, shard) for kind, shard in found}
        return [place for place, row in wanted if (kept(row.kind), row.shard) in assigned]

    async def subscribe(self, subscriptions: Sequence[Subscription], *, kind: str) -> None:
        await self._notes.written()
        columns = [
            [*range(len(subscriptions))],
            kept_column(one.event_type for one in subscriptions),
            kept_column(one.key_field for one in subscriptions),
            kept_column(one.process for one in subscriptions),
            [one.starts for one in subscriptions],
            kept_column(one.where_field for one in subscriptions),
            kept_column(one.where_value for one in subscriptions),
        ]
        await self.members.repeatable(lambda one: one.execute(self._sql["subscribe"], kept(kind), *columns))

    async def keep_definitions(self, definitions: Sequence[DefinitionRow]) -> None:
        known = {(row.kind, row.version) for row in await self.definitions()}
        new = [row for row in definitions if (row.kind, row.version) not in known]
        if new:
            new.sort(key=lambda row: (row.kind, row.version))
            columns = [kept_column(column) for column in zip(*map(DEFINITIONS.values, new), strict=True)]
            await self.members.repeatable(lambda one: one.execute(self._sql["keep_definitions"], *columns))

    async def keep_kind_names(self, names: Mapping[str, str]) -> Mapping[str, str]:
        columns = [kept_column(names), kept_column(names.values())]

        async def put(connection: Any) -> Mapping[str, str]:
            for _ in range(_JOINS_MAX if names else 1):
                try:
                    if names:
                        await connection.execute(self._sql["keep_kind_names"], *columns)
                except asyncpg.UniqueViolationError:
                    continue  # Another has kept one of them at the same time.
                rows = await connection.fetch(self._sql["kind_names"])
                return {given(row["name"]): given(row["kind"]) for row in rows}
            raise StoreBusy("others tell names of kinds all the time; try again later")

        return await self.members.repeatable(put)

    async def definitions(self) -> list[DefinitionRow]:
        return [definition_row(row) for row in await self._reads.read(lambda one: one.fetch(self._sql["definitions"]))]

    async def cluster(self) -> ClusterView:
        return cluster_view(await self.members.read(lambda one: one.fetchval(self._sql["cluster"])))

    async def mark_half_copied(self, is_half: bool) -> None:
        name, values = ("put_mark", (HALF_COPIED, "yes")) if is_half else ("drop_mark", (HALF_COPIED,))
        await self.members.repeatable(lambda one: one.execute(self._sql[name], *values))

    async def lived(self) -> Lived:
        return Lived.from_text(await self._reads.read(lambda one: one.fetchval(self._sql["lived"])))

    async def put_lived(self, lived: Lived) -> None:
        await self.members.repeatable(lambda one: one.execute(self._sql["put_lived"], lived.as_text()))

    def tell_busy(self, busy: Busy) -> None:
        """Written by a thread of its own, as the loop may stand still."""
        if (busy.node, busy.incarnation) in self._left:
            return
        one = (kept(busy.node), kept(busy.incarnation), busy.told_at_s - BUSY_KEPT_S)
        if says_something(busy):
            self._notes.tell(self._sql["tell_busy"], *one, busy.until_s, busy_to_text(busy))
        else:
            self._notes.tell(self._sql["forget_busy"], *one)

    async def busy(self) -> list[Busy]:
        rows = await self._reads.read(lambda one: one.fetch(self._sql["busy"]))
        return [busy_from_text(text) for (text,) in rows]

    async def _write(self, name: str, *values: object) -> bool:
        """Whether the statement gave a row."""
        return bool(await self.members.repeatable(lambda one: one.fetchval(self._sql[name], *values)))
