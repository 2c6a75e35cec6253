"""A load that can be counted afterwards: each turn adds 1 to its actor, whatever becomes of connections meanwhile."""

from __future__ import annotations

import asyncio

from runtime.adapters import system_ports
from runtime.errors import StoreError
from runtime.store.committer import Committer
from runtime.store.port import Store
from runtime.store.records import ActorRow, Transition, Verdict
from runtime.testing.conformance.samples import SHARD, id_of, mail_row, post, turn

__all__ = ["CountedLoad"]

_CONVERSATION = 7


class CountedLoad:
    """Turns of several actors at once, by one committer. Whoever is told an error tries again: nothing was written."""

    def __init__(self, store: Store, *, reader: Store | None = None, actors: int = 20, turns: int = 5) -> None:
        """`reader` is another way to the same store, for a test that breaks commits alone."""
        self._store = reader or store
        self._keys = [f"k{number}" for number in range(actors)]
        self._turns = turns
        self.committer = Committer(store, system_ports())
        self.errors = 0  # told to whoever submitted, or raised by a read
        self._working = asyncio.gather(*map(self._add_all, self._keys))

    @property
    def is_over(self) -> bool:
        return self._working.done()

    async def goes_on(self) -> None:
        """Until as many transitions more have been decided as there are actors, or it is over."""
        before = self.committer.stats.transitions
        while self.committer.stats.transitions < before + len(self._keys) and not self.is_over:
            await asyncio.sleep(0.005)

    async def adds_up(self) -> None:
        """Wait for the end; nothing is lost, nothing was done twice, nothing is left over."""
        await self._working
        await self.committer.close()
        rows = await self._store.load([("billing", key) for key in self._keys])
        told = [row is not None and (row.state, row.revision) for row in rows]
        assert told == [(bytes([self._turns]), self._turns)] * len(self._keys)
        assert await self._store.mail_of_conversation(id_of(_CONVERSATION)) == []
        assert len(await self._store.conversation(id_of(_CONVERSATION))) == self._turns * len(self._keys)

    async def _add_all(self, key: str) -> None:
        for number in range(1, self._turns + 1):
            id = int(key[1:]) * 1_000 + number
            await self._commit(post(mail_row(id, key, conversation=_CONVERSATION, shard=SHARD)))
            row = await self._load(key)
            before = 0 if row is None else row.state[0]
            await self._commit(turn(id, key, start=row, state=bytes([before + 1]), conversation=_CONVERSATION))

    async def _load(self, key: str) -> ActorRow | None:
        while True:
            try:
                return (await self._store.load([("billing", key)]))[0]
            except StoreError:
                self.errors += 1

    async def _commit(self, transition: Transition) -> None:
        while True:
            told: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            self.committer.submit(transition, told.set_result)
            outcome = await told
            if isinstance(outcome, Verdict):
                assert outcome is Verdict.COMMITTED
                return
            self.errors += 1
