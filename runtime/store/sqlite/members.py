"""The part of the store in SQLite that members keep: nodes, shards, subscriptions, definitions, names of kinds, lived
time, busy handlers.

    join, renew, evict, assign ──vital: before what else waits──▶ Writer
    cluster                    ──▶ a Reader of its own

What a node is busy with is told by any thread, written by the writer's, and awaited by nobody.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import apsw

from runtime.errors import CommitUnknown, StoreUnavailable
from runtime.ports import Clock
from runtime.store.busy import BUSY_KEPT_S, busy_from_text, busy_to_text, says_something
from runtime.store.columns import DEFINITIONS, SUBSCRIPTIONS
from runtime.store.definitions import DefinitionRow
from runtime.store.lived import Lived
from runtime.store.marks import HALF_COPIED
from runtime.store.records import Busy, ClusterView, NodeRow, ShardRow, Subscription
from runtime.store.sqlite.queries import named_queries
from runtime.store.sqlite.reader import Reader
from runtime.store.sqlite.rows import node_row, node_values, subscription
from runtime.store.sqlite.writer import Writer

__all__ = ["SqliteMembers"]

T = TypeVar("T")


class SqliteMembers:
    """What `Store` says of membership. `reader` reads what may take long, `members` only what leases depend on."""

    def __init__(self, clock: Clock, writer: Writer, reader: Reader, members: Reader) -> None:
        self._clock = clock
        self._writer = writer
        self._reader = reader
        self._members = members
        self._sql = named_queries()
        self._left: frozenset[tuple[str, str]] = frozenset()  # name and incarnation of those that have left

    async def now_s(self) -> float:
        return self._clock.now_s()

    async def join(self, node: NodeRow, *, lease_s: float, replace: str = "") -> NodeRow | None:
        def put(connection: apsw.Connection) -> NodeRow | None:
            now_s = self._clock.now_s()
            found = connection.execute(self._sql["nodes"], {"name": node.name}).fetchone()
            other = node if found is None else node_row(*found)
            if other.incarnation not in (node.incarnation, replace) and other.lease_until_s > now_s:
                return other
            one = (node.name, node.incarnation)
            connection.execute(self._sql["put_node"], node_values(node, lease_until_s=now_s + lease_s))
            connection.execute(self._sql["put_lease"], (*one, lease_s, node.clock_off_s))
            connection.execute(self._sql["put_carries"], (*one, json.dumps(node.carries)))
            return None

        return await self._write(put, vital=True)

    async def renew(self, name: str, incarnation: str, *, lease_s: float, clock_off_s: float | None = None) -> bool:
        def put(connection: apsw.Connection) -> bool:
            values = {"until_s": self._clock.now_s() + lease_s, "name": name, "incarnation": incarnation}
            connection.execute(self._sql["renew"], values)
            renewed = connection.changes() == 1
            if renewed and clock_off_s is not None:
                connection.execute(self._sql["put_lease"], (name, incarnation, lease_s, clock_off_s))
            return renewed

        return await self._write(put, vital=True)

    async def leave(self, name: str, incarnation: str) -> None:
        self._left |= {(name, incarnation)}
        await self._remove(name, incarnation, died=False)

    async def evict(self, name: str, incarnation: str) -> bool:
        return await self._remove(name, incarnation, died=True)

    async def _remove(self, name: str, incarnation: str, *, died: bool) -> bool:
        def remove(connection: apsw.Connection) -> bool:
            until_s = self._clock.now_s() if died else float("inf")
            one = {"name": name, "incarnation": incarnation, "expired_at_s": until_s}
            connection.execute(self._sql["remove_node"], one)
            if connection.changes() != 1:
                return False
            for what in ("note_deaths" if died else "forget_notes", "give_up_shards", "remove_lease"):
                connection.execute(self._sql[what], one)
            return True

        return await self._write(remove, vital=True)

    async def assign(self, kind: str, shard: int, *, owner: str, expected_epoch: int) -> bool:
        return (await self.assign_many([ShardRow(kind, shard, owner, expected_epoch)]))[0]

    async def assign_many(self, wanted: Sequence[ShardRow]) -> list[bool]:
        def put(connection: apsw.Connection) -> list[bool]:
            assigned = []
            for row in wanted:
                values = {"kind": row.kind, "shard": row.shard, "owner": row.owner, "epoch": row.epoch}
                connection.execute(self._sql["forget_death"], values)
                connection.execute(self._sql["assign"], values)
                assigned.append(connection.changes() == 1)
            return assigned

        return await self._write(put, vital=True)

    async def subscribe(self, subscriptions: Sequence[Subscription], *, kind: str) -> None:
        def put(connection: apsw.Connection) -> None:
            connection.execute(self._sql["unsubscribe"], (kind,))
            for one in subscriptions:
                connection.execute(self._sql["subscribe"], SUBSCRIPTIONS.values(one))

        await self._write(put)

    async def keep_definitions(self, definitions: Sequence[DefinitionRow]) -> None:
        known = {(row.kind, row.version) for row in await self.definitions()}
        new = [DEFINITIONS.values(row) for row in definitions if (row.kind, row.version) not in known]
        if new:
            await self._write(lambda connection: connection.executemany(self._sql["keep_definition"], new))

    async def definitions(self) -> list[DefinitionRow]:
        return await self._reader.patiently(
            lambda connection: [DefinitionRow(*row) for row in connection.execute(self._sql["definitions"])]
        )

    async def keep_kind_names(self, names: Mapping[str, str]) -> Mapping[str, str]:
        kept = await self._reader.patiently(self._kind_names)
        if names.items() <= kept.items() or not _fits(names, kept):
            return kept

        def put(connection: apsw.Connection) -> Mapping[str, str]:
            kept = self._kind_names(connection)
            if not _fits(names, kept):
                return kept
            connection.executemany(self._sql["keep_kind_name"], [one for one in names.items() if one[0] not in kept])
            return {**kept, **names}

        return await self._write(put)

    def _kind_names(self, connection: apsw.Connection) -> Mapping[str, str]:
        return {str(name): str(kind) for name, kind in connection.execute(self._sql["kind_names"])}

    async def cluster(self) -> ClusterView:
        def read(connection: apsw.Connection) -> ClusterView:
            with connection:  # all at one instant
                nodes = tuple(node_row(*row) for row in connection.execute(self._sql["nodes"], {"name": None}))
                shards = tuple(ShardRow(*row) for row in connection.execute(self._sql["shards"]))
                subscriptions = tuple(subscription(*row) for row in connection.execute(self._sql["subscriptions"]))
                lived = Lived.from_text(connection.execute(self._sql["lived"]).get)
            return ClusterView(self._clock.now_s(), nodes, shards, subscriptions, lived.until_s)

        return await self._members.patiently(read)

    async def mark_half_copied(self, is_half: bool) -> None:
        name, values = ("put_mark", (HALF_COPIED, "yes")) if is_half else ("drop_mark", (HALF_COPIED,))
        await self._write(lambda connection: connection.execute(self._sql[name], values))

    async def lived(self) -> Lived:
        return await self._reader.patiently(lambda one: Lived.from_text(one.execute(self._sql["lived"]).get))

    async def put_lived(self, lived: Lived) -> None:
        await self._write(lambda connection: connection.execute(self._sql["put_lived"], (lived.as_text(),)))

    def tell_busy(self, busy: Busy) -> None:
        sql, node = self._sql, (busy.node, busy.incarnation)

        def put(connection: apsw.Connection) -> None:
            connection.execute(sql["forget_old_busy"], (busy.told_at_s - BUSY_KEPT_S,))
            connection.execute(sql["forget_busy"], {"name": busy.node, "incarnation": busy.incarnation})
            if says_something(busy):
                connection.execute(sql["put_busy"], (*node, busy_to_text(busy)))

        if node not in self._left:
            self._writer.note(put)

    async def busy(self) -> list[Busy]:
        return await self._reader.patiently(
            lambda connection: [busy_from_text(str(text)) for (text,) in connection.execute(self._sql["busy"])]
        )

    async def _write(self, work: Callable[[apsw.Connection], T], *, vital: bool = False) -> T:
        """A write that can simply be repeated: one of unknown outcome is reported as a failure like any other."""
        try:
            return await self._writer.transact(work, vital=vital)
        except CommitUnknown as error:
            raise StoreUnavailable(f"{error}; it may or may not have been written, and can be repeated") from error


def _fits(names: Mapping[str, str], kept: Mapping[str, str]) -> bool:
    return all(kept.get(name, kind) == kind for name, kind in names.items())
