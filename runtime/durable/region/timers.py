"""The timers of one kind's actors: found by a sweep or left by a commit, armed when they are due soon, and fired.

Sweeper, guests ──rows──▶ DueTimers ──arm──▶ clock ──fire──▶ Residents   as a message of the actor to itself
Router ──a commit──▶          "
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from google.protobuf.message import DecodeError

from runtime.durable.region.ownership import Ownership
from runtime.envelope import Address, Envelope, address_of, is_instant, timer_id
from runtime.errors import StoreError
from runtime.failpoints import Failpoint
from runtime.protos import durable_pb2
from runtime.store.records import ActorRow

__all__ = ["DueTimers"]

_ARMED_MAX = 100_000  # timers about to fire; later passes find the others
_DECLINED_MAX = 10_000
_AGAIN_S = 0.05  # pause before a timer that was declined fires once more
_LATE_S = 0.001  # A loop may call back a little early, and a timer must never fire before it is due.


class DueTimers:
    """Arms what is due before the next pass but one, and of what is late already only what there is room for.

    `failed` is told what cannot be read, and why.

    A timer fires when two readings of the clock agree that it is due: one as it is armed, one when its time is up.
    """

    def __init__(self, ownership: Ownership, failed: Callable[[str], None]) -> None:
        self._ownership = ownership
        self._residents = residents = ownership.residents
        self._failed = failed
        self._kind = residents.kind
        self._clock = residents.kind.ports.clock
        self._failpoint = residents.kind.ports.failpoint
        self._soon_s = 2 * residents.kind.limits.sweep_s
        self._armed: dict[bytes, None] = {}
        self._reach = 0  # rows of the next pass, if more than the ramp asks for
        self._declined: dict[Address, None] = {}  # Actors that cannot run now take no room from those behind them.
        self._looking: set[Address] = set()  # guests whose rows are being read

    async def sweep(self, shards: list[int], *, rows_max: int) -> bool:
        """Arm those in these shards that are due soon. False: there were more than could be read. Raises StoreError."""
        before_s, ramp = self._clock.now_s() + self._soon_s, self._residents.ramp
        reach = min(rows_max, max(self._reach, 2 * ramp.window))
        rows = await self._kind.store.due(self._kind.name, shards, before_s=before_s, limit=reach)
        if rows:
            self._failpoint(Failpoint.TIMERS_SWEPT)
        room, new = ramp.room, False
        for row in rows:
            needs_room = self._is_late(row) and not (
                row.address in self._declined or self._residents.is_here(row.address)
            )
            if needs_room and room <= 0:
                ramp.is_short = True
                break  # Those behind it are due later.
            if self._arm_all(row) and row.address not in self._declined:
                room, new = room - needs_room, True
        else:
            complete = len(rows) < reach
            self._reach = 0 if complete or new else 2 * reach
            if complete:
                self._declined.clear()
            return complete
        return False

    def _arm_all(self, row: ActorRow) -> bool:
        """False: none of an actor's timers was armed anew."""
        new = False
        for timer in self._of(row):
            died = self._ownership.died(row.shard)
            if died and timer.due_at_s <= self._clock.now_s():
                self._residents.suspects.add(timer_id(row.address, timer), died)
            new = self._arm(row, row.shard, timer) or new
        return new

    def _is_late(self, row: ActorRow) -> bool:
        return row.due_at_s is not None and row.due_at_s <= self._clock.now_s()

    async def sweep_guest(self, address: Address, shard: int, died: str) -> None:
        """Arm those of one actor that runs here as a guest; `died` is the node that ended over it, if one did."""
        if address in self._looking:
            return
        self._looking.add(address)
        try:
            (row,) = await self._kind.store.load([address])
        except StoreError as error:
            self._failed(str(error))
            return
        finally:
            self._looking.remove(address)
        if row is None:
            return
        now_s = self._clock.now_s()
        for timer in self._of(row):
            if died and timer.due_at_s <= now_s:
                self._residents.suspects.add(timer_id(address, timer), died)
            if timer.due_at_s <= now_s + self._soon_s:
                self._arm(row, shard, timer)

    def arm(self, row: ActorRow, timers: Iterable[durable_pb2.Timer]) -> None:
        """Have those of a commit fire on time that are due before a pass is sure to have seen them."""
        soon_s = row.updated_at_s + self._soon_s
        if row.due_at_s is not None and row.due_at_s <= soon_s:
            for timer in timers:
                if timer.due_at_s <= soon_s:
                    self._arm(row, row.shard, timer)

    def _of(self, row: ActorRow) -> list[durable_pb2.Timer]:
        """Those that can fire. The others are reported by each pass, until somebody has mended the row."""
        try:
            timers = list(durable_pb2.Timers.FromString(row.timers).timers)
        except DecodeError as error:
            self._unreadable(row, str(error))
            return []
        if all(is_instant(timer.due_at_s) for timer in timers):
            return timers
        self._unreadable(row, "some have no real due time")
        return [timer for timer in timers if is_instant(timer.due_at_s)]

    def _unreadable(self, row: ActorRow, reason: str) -> None:
        self._failed(f"the timers of {address_of(*row.address)} cannot be read: {reason}")

    def _arm(self, row: ActorRow, shard: int, timer: durable_pb2.Timer) -> bool:
        """False: it is armed already, or a later pass arms it."""
        id = timer_id(row.address, timer)
        if id in self._armed or len(self._armed) >= _ARMED_MAX:
            return False
        left_s = timer.due_at_s - self._clock.now_s()
        if left_s > self._soon_s:
            return False  # The clock has gone back since the store was asked, or it is not due with the first.
        envelope = _fired(row, timer, id)
        self._armed[id] = None
        self._clock.call_later(max(0.0, left_s) + _LATE_S, self._fire, envelope, shard)
        self._failpoint(Failpoint.TIMER_ARMED)
        return True

    def _fire(self, envelope: Envelope, shard: int) -> None:
        self._armed.pop(envelope.id, None)
        live = self._ownership.live
        is_guest = shard not in live and envelope.address in self._residents.guests
        # Should the wall clock have gone back meanwhile, a later pass arms it again.
        if (shard in live or is_guest) and self._clock.now_s() >= envelope.due_at_s:
            has_room = self._residents.takes_up(envelope.address)
            taken = has_room and self._residents.deliver(envelope, shard, swept=True)
            self._failpoint(Failpoint.TIMER_FIRED)
            # Of a guest the backlog is being read, and no pass of this node would find the timer.
            if not has_room or (is_guest and not taken):
                self._armed[envelope.id] = None
                self._clock.call_later(_AGAIN_S, self._fire, envelope, shard)
            elif taken:
                self._declined.pop(envelope.address, None)
            elif len(self._declined) < _DECLINED_MAX:
                self._declined[envelope.address] = None


def _fired(row: ActorRow, timer: durable_pb2.Timer, id: bytes) -> Envelope:
    return Envelope(
        id=id,
        kind=row.kind,
        key=row.key,
        type=timer.type,
        body=timer.body,
        conversation=timer.conversation or row.conversation,
        process=timer.process,
        cause=timer.set_by,
        sender=address_of(*row.address),
        sent_at_s=timer.due_at_s,
        due_at_s=timer.due_at_s,
        timer=timer.name,
        traceparent=timer.traceparent,
    )
