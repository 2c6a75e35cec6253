"""Three kinds of actors on one node, for tests of chains: what was committed together, and what became mail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from protos.billing_pb2 import BillState
from runtime.durable.kind import Limits
from runtime.errors import StoreUnavailable
from runtime.failpoints import Failpoint
from runtime.store.groups import TransitionGroup, Unit, transitions_of
from runtime.store.memory import MemoryStore
from runtime.store.records import Outcome, Verdict
from tests.unit.durable.link import ChainLink
from tests.unit.durable.local import LocalNode
from tests.unit.durable.till import CONVERSATION, Post

__all__ = ["SHORT", "NotingStore", "Street", "street"]

SHORT = Limits(sweep_s=0.2)


class NotingStore(MemoryStore):
    """A store that notes what it was given, and can be told to fail the first group."""

    groups_fail = 0

    async def commit(self, batch: Sequence[Unit]) -> list[Verdict]:
        if self.groups_fail and any(isinstance(one, TransitionGroup) for one in batch):
            self.groups_fail -= 1
            raise StoreUnavailable("no commit today")
        verdicts = await super().commit(batch)
        done = [unit for unit, verdict in zip(batch, verdicts, strict=True) if verdict is Verdict.COMMITTED]
        units: list[Unit] = self.__dict__.setdefault("units", [])
        units += done
        return verdicts

    @property
    def turns(self) -> list[list[str]]:
        """By commit, the actors whose turns it had."""
        found = [[one.actor.kind for one in transitions_of([unit]) if one.actor is not None] for unit in self.units]
        return [kinds for kinds in found if kinds]

    @property
    def posted(self) -> list[str]:
        """The kinds that rows of mail were written for, without those of the test itself."""
        sent = [row for unit in self.units for one in transitions_of([unit]) for row in one.mail]
        return [row.kind for row in sent if row.sequence > 1 << 16]

    @property
    def units(self) -> list[Unit]:
        found: list[Unit] = self.__dict__.setdefault("units", [])
        return found


class Street:
    """Three kinds on one node: `billing` gets the test's mail, `sales` and `warehouse` what follows from it."""

    def __init__(self, local: LocalNode, store: NotingStore, links: dict[str, ChainLink]) -> None:
        self.local, self.store, self.links = local, store, links
        self.post = Post(local)

    async def begin(self, amount: int, *, wait_s: float = 1.0, **headers: Any) -> None:
        await self.post.send(self.post.bill(amount, **headers))
        await self.local.sleep(wait_s)

    async def heard(self, kind: str, key: str = "K") -> str:
        """The amounts that an actor has noted."""
        [row] = await self.store.load([(kind, key)])
        return "" if row is None else BillState.FromString(row.state).reason.strip()

    async def outcomes(self, kind: str) -> list[Outcome]:
        return [row.outcome for row in await self.store.conversation(CONVERSATION) if row.kind == kind]

    def reached(self, point: Failpoint) -> int:
        return self.local.reached[point]


@asynccontextmanager
async def street(limits: Limits = SHORT, **links: ChainLink) -> AsyncIterator[Street]:
    all_links = {kind: links.get(kind) or ChainLink(kind) for kind in ("billing", "sales", "warehouse")}
    store = NotingStore(LocalNode(list(all_links.values())).ports)
    local = await LocalNode(list(all_links.values()), store, limits).start()
    yield Street(local, store, all_links)
    assert await store.mail_of_conversation(CONVERSATION) == []
    await local.stop()
