"""What nodes are busy with, in the table `meta`: told by any thread, written by the writer's, and awaited by nobody."""

from __future__ import annotations

import apsw

from runtime.store.busy import BUSY_KEPT_S, busy_from_text, busy_to_text
from runtime.store.records import Busy
from runtime.store.sqlite.queries import named_queries
from runtime.store.sqlite.reader import Reader
from runtime.store.sqlite.writer import Writer

__all__ = ["BusyTable"]


class BusyTable:
    """That part of the store (see `Store.tell_busy`)."""

    _reader: Reader
    _writer: Writer
    _left: frozenset[tuple[str, str]] = frozenset()  # name and incarnation of those that have left

    def tell_busy(self, busy: Busy) -> None:
        sql, node = named_queries(), (busy.node, busy.incarnation)

        def put(connection: apsw.Connection) -> None:
            connection.execute(sql["forget_old_busy"], (busy.told_at_s - BUSY_KEPT_S,))
            connection.execute(sql["forget_busy"], {"name": busy.node, "incarnation": busy.incarnation})
            if busy.handlers:
                connection.execute(sql["put_busy"], (*node, busy_to_text(busy)))

        if node not in self._left:
            self._writer.note(put)

    async def busy(self) -> list[Busy]:
        return await self._reader.patiently(
            lambda connection: [busy_from_text(str(text)) for (text,) in connection.execute(named_queries()["busy"])]
        )
