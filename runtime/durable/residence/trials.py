"""What the history knows of a message that nodes may have died over: a row for each trial, written before it begins.

A trial that was begun and is not followed by a commit of its message has ended with its node. Only those on end count:
when a run has failed, or was lost, while its node lived, a new series begins, and so it does when an operator has the
message replayed. The rows cost nothing where every node leaves in order, need no column of their own, and stand in the
conversation for people to see.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from runtime.durable.kind import Kind
from runtime.durable.residence.suspects import Suspects
from runtime.durable.turn.lost import LostRuns
from runtime.envelope import Envelope
from runtime.errors import StoreError
from runtime.store.committer import Committer
from runtime.store.port import Store
from runtime.store.records import HistoryRow, Outcome, Transition, Verdict

__all__ = ["hold_trial"]


async def hold_trial(
    kind: Kind,
    suspects: Suspects,
    losses: LostRuns,
    committer: Committer,
    envelope: Envelope,
    shard: int,
    failed: Mapping[bytes, int],
) -> None:
    """Have the store know of it before a suspect runs, or condemn what too many nodes have died over.

    `failed`: runs that have ended in failure so far, by id; deaths before the last of them count no more.
    Raises StoreError and Overloaded: then it must not run yet.
    """
    dead = suspects.to_be_noted(envelope.id)
    if not dead:
        return
    most, attempts = kind.limits.node_deaths_max, failed.get(envelope.id, 0)
    nodes = [*await _begun_trials(kind.store, envelope, attempts, most - 1), dead]
    if len(nodes) >= most:
        losses.condemn(envelope.id, f"{len(nodes)} nodes have ended while it may have run: {', '.join(nodes)}")
    else:
        id, now_s = _trial_id(envelope.id, attempts, len(nodes)), kind.ports.clock.now_s()
        await _written(kind, committer, _trial(envelope, shard, id, dead=dead, node=kind.node, now_s=now_s))
    suspects.noted(envelope.id)


async def _written(kind: Kind, committer: Committer, transition: Transition) -> None:
    answer: asyncio.Future[Verdict | StoreError] = kind.ports.tasks.new_future()

    def decided(verdict: Verdict | StoreError) -> None:
        if not answer.done():
            answer.set_result(verdict)

    committer.submit(transition, decided)
    verdict = await answer
    if isinstance(verdict, StoreError):
        raise verdict


def _trial_id(id: bytes, attempts: int, number: int) -> bytes:
    """The time of the message, then a hash: the same for the same trial, whoever writes it."""
    return id[:6] + blake2b(b"trial|%b|%d|%d" % (id, attempts, number), digest_size=10).digest()


async def _begun_trials(store: Store, envelope: Envelope, attempts: int, most: int) -> Sequence[str]:
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
