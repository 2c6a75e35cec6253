"""What the store of a test's cluster holds: states of actors, conversations, and what still waits."""

from __future__ import annotations

import math
from typing import TypeVar

from google.protobuf.message import Message

from runtime.envelope import address_of
from runtime.observe.conversation import read_conversation
from runtime.observe.sequence import as_text
from runtime.protos import saga_pb2
from runtime.saga.catalogue import Catalogue
from runtime.store.port import Store
from runtime.store.records import ActorRow

__all__ = ["Committed"]

M = TypeVar("M", bound=Message)

_SHOWN_MAX = 3  # So much of what still waits is shown, for each kind.


class Committed:
    """Reads the store directly, past all nodes."""

    def __init__(self, store: Store, catalogue: Catalogue, shards: range) -> None:
        self._store = store
        self._catalogue = catalogue
        self._shards = shards

    async def state(self, kind: str, key: str, state: type[M]) -> M:
        """The state of an actor, empty if there is none. A saga has a business state, and a record."""
        row = await self._row(kind, key)
        if row is None:
            return state()
        whole = self._catalogue.contracts.parse(row.state_type, row.state)
        if isinstance(whole, saga_pb2.SagaRecord) and state is not saga_pb2.SagaRecord:
            whole = self._catalogue.contracts.parse(whole.state_type, whole.state)
        assert isinstance(whole, state), f"the state of {kind}/{key} is a {type(whole).__name__}"
        return whole

    async def status(self, kind: str, key: str) -> str:
        """The status of a saga, in small letters."""
        record = await self.state(kind, key, saga_pb2.SagaRecord)
        return saga_pb2.SagaRecord.Status.Name(record.status).lower()

    async def conversation(self, kind: str, key: str) -> str:
        """Every message of the conversation that made this actor, one a line; empty if there is no such actor."""
        row = await self._row(kind, key)
        return "" if row is None else as_text(await read_conversation(self._store, row.conversation))

    async def open(self) -> list[str]:
        """Some of the mail and timers that still wait, and for which actor."""
        found: list[str] = []
        for behaviour in self._catalogue.behaviours:
            kind, ever_s = behaviour.kind, math.inf
            mail = await self._store.waiting(
                kind, self._shards, due_before_s=ever_s, sent_before_s=ever_s, limit=_SHOWN_MAX
            )
            found += [f"mail for {address_of(*row.address)}" for row in mail]
            timed = await self._store.due(kind, self._shards, before_s=ever_s, limit=_SHOWN_MAX)
            found += [f"a timer of {address_of(*row.address)}" for row in timed]
        return found

    async def _row(self, kind: str, key: str) -> ActorRow | None:
        (row,) = await self._store.load([(kind, key)])
        return row
