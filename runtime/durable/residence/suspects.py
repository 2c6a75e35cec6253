"""Mail that a node may have died over: each message runs by itself, after the store has noted that it does.

    membership ──a node has gone without leaving──▶ Sweeper.take_over ──what waits in its shards──▶ Suspects
    activation ◀── one at a time of a kind, each noted in the history before it begins ──┘

A handler that ends its process takes the runs of all its neighbours with it. So after such a death nothing runs beside
a suspect of its kind: the next death is that of the message on trial, and its budget is `node_deaths_max` of them.
Where every node leaves cleanly there are no suspects, and nothing here costs anything.

A trial that was begun and is not followed by a commit of its message has ended with its node. Only those on end count:
when a run has failed, or was lost, while its node lived, a new series begins, and so it does when an operator has the
message replayed. The rows of trials need no column of their own, and stand in the conversation for people to see.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b

from runtime.durable.kind import Kind
from runtime.envelope import Envelope
from runtime.errors import StoreError
from runtime.store.committer import Committer
from runtime.store.port import TurnStore
from runtime.store.records import HistoryRow, MailRow, Outcome, Transition, Verdict

__all__ = ["DEATHS", "Suspects"]

DEATHS = "nodes have ended while it may have run"

_SUSPECTS_MAX = 4096  # of a kind at once; mail beyond it is treated like any other


class Suspects:
    """Those of one kind on one node, and whose turn it is."""

    def __init__(self, kind: Kind, committer: Committer, condemn: Callable[[bytes, str], None]) -> None:
        self._kind = kind
        self._committer = committer
        self._condemn = condemn  # have a message parked, with the reason, before it runs again
        self._tasks = kind.ports.tasks
        self._ids: dict[bytes, str] = {}  # the node that is gone, of each
        self._noted: set[bytes] = set()  # those whose trial the store knows of
        self._on_trial: object = None  # who runs it: an actor may leave memory and come back while that goes on
        self._waiting: deque[tuple[object, asyncio.Future[None]]] = deque()
        self.is_empty = True  # an attribute, for each turn asks

    def add(self, id: bytes, node: str) -> None:
        """This waited for an actor of a node that is gone."""
        if id not in self._ids and len(self._ids) < _SUSPECTS_MAX:
            self._ids[id] = node
            self.is_empty = False

    def add_due(self, rows: Iterable[MailRow], node: str, now_s: float) -> None:
        """Those of an actor that may have run there by now."""
        for row in rows:
            if row.due_at_s <= now_s:
                self.add(row.id, node)

    def fitting(self, batch: Sequence[Envelope]) -> int:
        """How many of a batch may run in one turn: a suspect alone, and others up to the first that is one."""
        for count, envelope in enumerate(batch):
            if envelope.id in self._ids:
                return max(1, count)
        return len(batch)

    async def await_trial(self, runner: object, id: bytes) -> None:
        """Return when no other suspect of the kind runs; at once for what is no suspect.

        The runner says when it has `done_with` the trial.
        """
        if id not in self._ids or self._on_trial is runner:
            return
        if self._on_trial is None:
            self._on_trial = runner
            return
        turn = self._tasks.new_future()
        self._waiting.append((runner, turn))
        try:
            await turn
        except BaseException:
            self.done_with(runner)
            raise

    async def hold_trial(self, envelope: Envelope, shard: int, failed: Mapping[bytes, int]) -> None:
        """Have the store know of it before a suspect runs, or condemn what too many nodes have died over.

        `failed`: runs that have ended in failure so far, by id; deaths before the last of them count no more.
        Raises StoreError and Overloaded: then it must not run yet.
        """
        dead = self._ids.get(envelope.id, "")
        if not dead or envelope.id in self._noted:
            return
        kind, attempts = self._kind, failed.get(envelope.id, 0)
        most = kind.limits.node_deaths_max
        nodes = [*await _begun_trials(kind.store, envelope, attempts, most - 1), dead]
        if len(nodes) >= most:
            reason = f"{len(nodes)} {DEATHS}: {', '.join(nodes)}"
            self._condemn(envelope.id, reason)
        else:
            id, now_s = _trial_id(envelope.id, attempts, len(nodes)), kind.ports.clock.now_s()
            await self._write(_trial(envelope, shard, id, dead=dead, node=kind.node, now_s=now_s))
        self._noted.add(envelope.id)  # should it run again here, nobody has died over it since

    async def _write(self, transition: Transition) -> None:
        answer: asyncio.Future[Verdict | StoreError] = self._tasks.new_future()

        def decided(verdict: Verdict | StoreError) -> None:
            if not answer.done():
                answer.set_result(verdict)

        self._committer.submit(transition, decided)
        verdict = await answer
        if isinstance(verdict, StoreError):
            raise verdict

    def done_with(self, runner: object, ids: Iterable[bytes] = ()) -> None:
        """A turn has ended, or whoever ran it: the next suspect may run."""
        for id in ids:
            self._ids.pop(id, None)
            self._noted.discard(id)
        if self._on_trial is runner:
            self._on_trial = self._next()
        self.is_empty = not self._ids and self._on_trial is None

    def _next(self) -> object:
        while self._waiting:
            runner, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return runner
        return None


def _trial_id(id: bytes, attempts: int, number: int) -> bytes:
    """The time of the message, then a hash: the same for the same trial, whoever writes it."""
    return id[:6] + blake2b(b"trial|%b|%d|%d" % (id, attempts, number), digest_size=10).digest()


async def _begun_trials(store: TurnStore, envelope: Envelope, attempts: int, most: int) -> Sequence[str]:
    """The nodes whose ends have led to a trial of this message, oldest first. Raises StoreError."""
    numbers = range(1, most + 1)
    ids = [(envelope.conversation, _trial_id(envelope.id, attempts, number)) for number in numbers]
    rows = await store.handled(ids) if ids else []
    return [row.sender.removeprefix("node/") for row in rows if row is not None]


def _trial(envelope: Envelope, shard: int, id: bytes, *, dead: str, node: str, now_s: float) -> Transition:
    """Note that a trial begins, since the node `dead` has ended without leaving. It is no turn of the actor."""
    row = HistoryRow(
        conversation=envelope.conversation,
        id=id,
        kind=envelope.kind,
        key=envelope.key,
        shard=shard,
        revision=0,
        handled_at_s=now_s,
        outcome=Outcome.IGNORED,
        attempts=0,
        node=node,
        error=f"{envelope.type} {envelope.id.hex()} runs alone: node {dead} ended and may have died over it",
        type="trial",
        sender=f"node/{dead}",
        cause=b"",
        sent_at_s=now_s,
        caused=b"",
    )
    return Transition(address=(envelope.kind, envelope.key), shard=shard, history=(row,))
