"""Operators who act on sagas of one program: they retry, mark, skip, force, move timers, suspend, and resume.

    Repairs ──one of the acts that `explain` would offer──▶ runtime.operate.repairs ──▶ a message to the saga

What an operator marks as done or undone is a lie here, since nobody does it. So the books do not judge what was marked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress

from google.protobuf.message import DecodeError

from runtime.envelope import Address
from runtime.errors import AmendsError
from runtime.operate.choices import acts_for
from runtime.operate.repairs import post
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord, TaskRecord
from runtime.store.records import ActorRow
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice
from runtime.testing.world.cluster import SimCluster
from tests.proof.programs.detour_plan import ASKED
from tests.proof.programs.evidence import Evidence
from tests.proof.programs.program import CHILD
from tests.proof.programs.vocabulary import SLOTS

__all__ = ["Repairs", "check_repairs"]

_LOOK_S = 1.0
_SEEN = "decided at revision "
_ROWS_MAX = 100
_MOVED_S = (0.0, 0.0, 5.0, 60.0)
_ANOTHER = "0123456789abcdef"  # the digest of nothing that is asked
_NEVER = ("abandon", "cancel")  # The first would leave nothing to be judged; clients do the second.


def check_repairs(evidence: Evidence) -> Iterator[Violation]:
    """An act that was decided at some revision was done at that one, or not at all."""
    for name, (record, _) in evidence.records.items():
        for one in record.repairs:
            if one.reason.startswith(_SEEN) and one.reason != f"{_SEEN}{one.revision - 1}":
                text = f"{name}: an act that was {one.reason} was done at {one.revision - 1}"
                yield Violation("I11", text, record.conversation)


class Repairs:
    """All who repair in one run. `did` counts their acts by name."""

    def __init__(self, cluster: SimCluster, dice: Dice) -> None:
        self._cluster = cluster
        self._dice = dice
        self._store = cluster.store_of("repairs", dice.named("store"))
        self.did: Counter[str] = Counter()
        self.clients_are_done = False

    async def watch(self) -> None:
        """Act while the program runs, in every other run; what waits for a person is decided in each."""
        only_asked = self._dice.chance(0.5)
        while not self.clients_are_done:
            await self._cluster.sleep(_LOOK_S * self._dice.between(0.5, 3.0))
            for row, record in await self._sagas():
                if only_asked:
                    await self._decide(row, record)
                elif self._dice.chance(0.5 if record.status == SagaRecord.STUCK or record.suspended else 0.2):
                    await self._repair(row, record)

    async def let_all_end(self) -> None:
        """Let go on what is suspended, and decide what waits for a person without a time limit, until neither is there.

        The day shift suspends, and cancels the time limits of approvals.
        """
        while True:
            await self._cluster.sleep(_LOOK_S)
            if not self._cluster.ledger.is_at_rest:
                continue
            try:
                sagas = [one for slot in SLOTS for one in await self._of_kind(slot.kind)]
            except AmendsError:
                continue  # It must not be taken for a database in which nothing is suspended.
            suspended = [row for row, record in sagas if record.suspended]
            asked = [(row, one) for row, record in sagas for one in _asked(record)]
            if not suspended and not asked:
                return
            for row in suspended:
                await self._post(row.address, RepairSaga(act=RepairSaga.RESUME))
            for row, one in asked:
                await self._post(row.address, RepairSaga(act=RepairSaga.APPROVE, task=one.path, digest=one.digest))

    async def _decide(self, row: ActorRow, record: SagaRecord) -> None:
        """Approve, or sometimes decline, what is asked."""
        asked = _asked(record)
        if asked and not record.suspended and self._dice.chance(0.5):
            act = RepairSaga.APPROVE if self._dice.chance(0.8) else RepairSaga.DECLINE
            seen = asked[0].digest if self._dice.chance(0.8) else _ANOTHER
            await self._post(row.address, RepairSaga(act=act, task=asked[0].path, digest=seen))
            self.did["decided"] += 1

    async def _repair(self, row: ActorRow, record: SagaRecord) -> None:
        offered = [one for one in acts_for(record) if one.act not in _NEVER]
        if not offered:
            return
        word, task, _, timer = self._dice.choose(offered)
        act = RepairSaga(act=RepairSaga.Act.Value(word.upper().replace("-", "_")), task=task, timer=timer)
        if word == "move-timer":
            act.in_s = self._dice.choose(_MOVED_S)
        if word in ("approve", "decline"):
            seen = next(one.digest for one in record.tasks if one.path == task)
            act.digest = seen if self._dice.chance(0.8) else _ANOTHER
        if self._dice.chance(0.8):
            act.expected_revision = record.revision
            act.reason = f"{_SEEN}{record.revision}"
        await self._post(row.address, act)
        self.did[f"repairs: {word}"] += 1

    async def _post(self, saga: Address, act: RepairSaga) -> None:
        act.who, act.reason = "day shift", act.reason or "drawn"
        try:
            await post(self._store, saga, act, self._cluster.ports.clock.now_s())
        except AmendsError:
            pass  # Whether it was done shows when the sagas are read again.

    async def _sagas(self) -> list[tuple[ActorRow, SagaRecord]]:
        """Those that can be read just now."""
        found: list[tuple[ActorRow, SagaRecord]] = []
        for slot in SLOTS:
            with suppress(AmendsError):
                found += await self._of_kind(slot.kind)
        return found

    async def _of_kind(self, kind: str) -> list[tuple[ActorRow, SagaRecord]]:
        """Raises AmendsError if the database does not answer."""
        found: list[tuple[ActorRow, SagaRecord]] = []
        for row in await self._store.actors(kind, limit=_ROWS_MAX):
            try:
                record = SagaRecord.FromString(row.state)
            except DecodeError:
                continue
            if not _is_of_family(record):
                found.append((row, record))
        return found


def _asked(record: SagaRecord) -> list[TaskRecord]:
    """What waits for a person's decision."""
    return [one for one in record.tasks if one.path.endswith(ASKED) and one.digest and one.status == TaskRecord.RUNNING]


def _is_of_family(record: SagaRecord) -> bool:
    """Whether it is a parent or a child: a parent asks a suspended child again and again, and so would never rest."""
    return record.HasField("asker") or any(task.path == CHILD for task in record.tasks)
