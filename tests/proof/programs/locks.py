"""Locks of drawn sagas, and what the history tells of them: a key has one holder, who asks first gets it first.

    LockPlan ──lock_of──▶ Lock
    history of NAME-lock/KEY, turn by turn ──▶ who holds the key, and who waits ──▶ promises

Messages of one turn have no order here, since the history keeps that of a conversation only. So what depends on the
order within a turn is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from runtime.durable.caused import came_of
from runtime.envelope import Envelope, address_of
from runtime.protos.lock_pb2 import AcquireLock, LockGranted, LockLost, LockRecord, ReleaseLock
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.lock import Lock
from runtime.saga.node import full_name
from runtime.store.records import ActorRow, HistoryRow, Outcome
from runtime.testing.rules.ledger import Violation
from tests.proof.programs.annotate import annotate
from tests.proof.programs.detour_plan import LOCK_NAMES, LockPlan
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import Program

__all__ = ["check_locks", "lock_of"]

_ASKED, _GRANTED, _LOST, _RELEASED = map(full_name, (AcquireLock, LockGranted, LockLost, ReleaseLock))
_ENDED = (SagaRecord.COMPLETED, SagaRecord.COMPENSATED, SagaRecord.ABANDONED)

Claim = tuple[str, str]
"""An instance, and the path of its task."""


def lock_of(plan: LockPlan, state_type: type[Message]) -> Lock:
    def key(state: Any) -> str:
        return plan.key or str(state.key)

    annotate(key, state=state_type, result=str)
    return Lock(plan.name, key, within=plan.within_s, expires=plan.expires_s)


def check_locks(evidence: Evidence, program: Program) -> Iterator[Violation]:
    """All that is wrong with the keys of all locks."""
    sent = {row.id: envelope for row, envelope in evidence.ledger.sent() if envelope is not None}
    parents = {_address(run.name): _address(run.parent) for run in program.runs if run.parent}
    turns: dict[tuple[str, str], dict[int, list[HistoryRow]]] = {}
    for rows in evidence.ledger.history.values():
        for row in rows.values():
            if row.kind in _KINDS and row.revision and row.outcome in (Outcome.HANDLED, Outcome.FIRED):
                turns.setdefault((row.kind, row.key), {}).setdefault(row.revision, []).append(row)
    for (kind, key), of_key in turns.items():
        told = _Key(sent, parents)
        for revision in sorted(of_key):
            for what in told.turn(revision, of_key[revision]):
                yield Violation("I2", f"{kind}/{key}: {what}")
    for kind in _KINDS:
        for actor in evidence.ledger.rows_of(kind):
            yield from _left(evidence, actor)


_KINDS = tuple(f"{name}-lock" for name in LOCK_NAMES)


def _left(evidence: Evidence, actor: ActorRow) -> Iterator[Violation]:
    """At rest nobody has a key or waits for one, except for instances that have not ended."""
    statuses = {address_of(row.kind, row.key): record.status for record, row in evidence.records.values()}
    record = LockRecord.FromString(actor.state)
    for claim in (*record.holders, *record.waiters):
        if statuses.get(claim.saga, SagaRecord.COMPLETED) in _ENDED:
            yield Violation("I5", f"{actor.kind}/{actor.key}: {claim.saga} has ended, and holds it or waits for it")


def _address(run: str) -> str:
    kind, _, key = run.partition("|")
    return address_of(kind, key)


@dataclass(slots=True)
class _Key:
    """Who holds one key and who waits for it, as its history tells; a claim with the turn in which it was made."""

    sent: Mapping[bytes, Envelope]
    parents: Mapping[str, str]
    holders: dict[Claim, int] = field(default_factory=dict)
    waiting: dict[Claim, int] = field(default_factory=dict)

    def turn(self, revision: int, rows: Iterable[HistoryRow]) -> Iterator[str]:
        caused = [one for row in rows for one in came_of(row).caused]
        asked = [self._asked(row.id) for row in rows if row.type == _ASKED]
        released = [self._released(row) for row in rows if row.type == _RELEASED]
        granted = [self._granted(one.id) for one in caused if one.type == _GRANTED]
        lost = {one.address for one in caused if one.type == _LOST}
        for claim in asked:
            if claim not in self.holders:
                self.waiting.setdefault(claim, revision)
        before = {saga for saga, _ in self.holders}
        gone = [claim for claim in self.holders if claim in released or claim[0] in lost]
        kept = {saga for saga, task in self.holders if (saga, task) not in gone}
        for claim in granted:
            yield from self._judge(claim, kept, before, granted, released)
        for claim in gone:
            del self.holders[claim]
        for claim in granted:
            self.waiting.pop(claim, None)
            if self.parents.get(claim[0]) not in before | {saga for saga, _ in granted}:
                self.holders[claim] = revision
        for claim in released:
            self.waiting.pop(claim, None)
            self.holders.pop(claim, None)

    def _judge(
        self, claim: Claim, kept: set[str], before: set[str], granted: list[Claim], released: list[Claim]
    ) -> Iterator[str]:
        """One grant: nobody else goes on holding the key, and nobody has waited for longer.

        Who is given the key is given it by all of its claims, so that the oldest of them counts.
        """
        saga, _ = claim
        family = {saga, self.parents.get(saga, saga)}
        if others := kept - family:
            yield f"{saga} was given it, and {', '.join(sorted(others))} held it"
        if family & before or claim not in self.waiting:
            return
        asked = min(self.waiting[one] for one in granted if one in self.waiting and self._is_of(family, one[0]))
        for (other, task), since in self.waiting.items():
            is_settled = (other, task) in granted or (other, task) in released
            if since < asked and not is_settled and not self._is_of(family, other):
                yield f"{other} asked for it before {saga}, who was given it"

    def _is_of(self, family: set[str], saga: str) -> bool:
        return saga in family or self.parents.get(saga) in family

    def _asked(self, id: bytes) -> Claim:
        envelope = self.sent[id]
        return envelope.reply_to or envelope.sender, AcquireLock.FromString(envelope.body).task

    def _released(self, row: HistoryRow) -> Claim:
        envelope = self.sent[row.id]
        return envelope.sender, ReleaseLock.FromString(envelope.body).task

    def _granted(self, id: bytes) -> Claim:
        return self._asked(LockGranted.FromString(self.sent[id].body).command_id)
