"""What nobody pushed: mail that waits in the store, timers that fall due.

One sweeper for each kind on a node; one of them in the whole cluster has old history forgotten. Each pass reads what is
there now; nothing is remembered from one pass to the next, since rows may become visible out of order. A push makes all
this needless in the normal case, a lost one costs a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.message import DecodeError

from runtime.backoff import spread
from runtime.durable.facts import SweepFailed
from runtime.durable.region.upkeep import Purger
from runtime.durable.residence.residents import Residents
from runtime.durable.turn.draft import Draft, timer_id
from runtime.envelope import Address, Envelope, address_of, is_instant
from runtime.errors import StoreError
from runtime.failpoints import Failpoint
from runtime.protos import durable_pb2
from runtime.store.records import ActorRow, MailRow

__all__ = ["Sweeper"]

_NOBODY: Mapping[int, str] = MappingProxyType({})
_ROWS_MAX = 1000  # a pass
_REACH_MAX = 8000  # a pass, while what it found first could not all be delivered
_FULL_EVERY = 10  # passes: one that reads recent mail as well, whatever the clock of its sender said
_ARMED_MAX = 100_000  # timers about to fire; more are found by later passes
_AGAIN_S = 0.05  # when a pass found more than it could read
_EVER_S = 1e18
_LATE_S = 0.001  # a loop may call back a little early; a timer never fires before it is due


class Sweeper:
    """Finds the mail and the timers of one kind's owned shards. `live` are those whose pushes are taken."""

    def __init__(self, activations: Residents, live: set[int], purger: Purger) -> None:
        self._activations = activations
        self._purger = purger
        self._kind = activations.kind
        self._ports = activations.kind.ports
        self._live = live
        self._taking: dict[int, int] = {}  # by take-over: swept, but pushes are declined until that is complete
        self._takeovers = 0
        self._died: dict[int, str] = {}  # of those being taken: the node that ended without leaving them
        self._declined: set[int] = set()  # of those being taken: pushes have come meanwhile
        self.rows_max = _ROWS_MAX
        self.reach_max = _REACH_MAX
        self._reach = _ROWS_MAX
        self._passes = 0
        self._armed: dict[bytes, None] = {}
        self._looking: set[Address] = set()  # guests whose rows are being read
        self._stopped = False

    async def run(self) -> None:
        """Sweep until stopped."""
        clock = self._ports.clock
        sweep_s = self._kind.limits.sweep_s
        passivate_at_s = clock.monotonic_s()
        while not self._stopped:
            more = await self._pass()
            if clock.monotonic_s() >= passivate_at_s:
                self._activations.passivate()
                passivate_at_s = clock.monotonic_s() + self._kind.limits.idle_s / 2
            await clock.sleep(_AGAIN_S if more else spread(sweep_s, 0.25, self._ports.randomness.fraction()))

    def stop(self) -> None:
        self._stopped = True

    @property
    def kind(self) -> str:
        return self._kind.name

    @property
    def shards(self) -> int:
        """How many shards of the kind are live here."""
        return len(self._live)

    # --- ownership ---

    async def take_over(self, shards: frozenset[int], died: Mapping[int, str] = _NOBODY) -> None:
        """Read all that waits in these shards, then take pushes for them. Raises StoreError.

        `died` names the nodes that ended without leaving them: what was due there by now may have been the cause.
        """
        self._died.update({shard: node for shard, node in died.items() if node})
        self._takeovers += 1
        number = self._takeovers
        self._taking.update(dict.fromkeys(sorted(shards), number))
        self._activations.shards |= shards
        try:
            while wanted := self._still_taking(number):
                await self._take(wanted, number)
        finally:
            self.give_up(frozenset(self._still_taking(number)))  # some are left only if the store has failed

    def _still_taking(self, number: int) -> list[int]:
        """Shards that this take-over has neither completed nor lost."""
        return sorted(shard for shard, by in self._taking.items() if by == number)

    async def _take(self, wanted: list[int], number: int) -> None:
        self._declined.difference_update(wanted)
        await self._read_all_mail(wanted)
        await self._sweep_timers(wanted)
        self._ports.failpoint(Failpoint.TAKE_SWEPT)
        for shard in self._still_taking(number):
            if shard not in self._declined:
                self._died.pop(shard, None)
                del self._taking[shard]
                self._live.add(shard)

    def give_up(self, shards: frozenset[int]) -> None:
        """Start no more turns in these shards; those that run are left to end."""
        self._live -= shards
        self._activations.shards -= shards
        self._activations.guests.forget_in(shards)
        for shard in sorted(shards):
            self._taking.pop(shard, None)

    def give_up_all(self) -> None:
        self.give_up(frozenset(self._activations.shards))

    def declined(self, shard: int) -> None:
        """A push came for a shard that is not live here: if it is being taken over, look again before it is."""
        if shard in self._taking:
            self._declined.add(shard)

    # --- passes ---

    async def sweep_all(self) -> None:
        """Deliver everything that waits now; used when pushes may have been lost."""
        self._declined.update(self._taking)  # those pushes may have been for a shard that is being taken over
        try:
            complete = await self._sweep_mail(sorted(self._live), sent_before_s=_EVER_S)
        except StoreError as error:
            self._ports.report(SweepFailed(self._kind.name, str(error)))
            complete = False
        if not complete:
            self._activations.fall_behind()

    async def _pass(self) -> bool:
        """One look at everything; True if there is more than it could read."""
        now_s = self._ports.clock.now_s()
        shards = sorted(self._live)
        try:
            complete = True
            if shards and not self._activations.paused:
                complete = await self._sweep_waiting(shards, now_s)
                complete = await self._sweep_timers(shards) and complete
            await self._purger.step(self._kind)
        except StoreError as error:
            self._ports.report(SweepFailed(self._kind.name, str(error)))
            return False
        return not complete

    async def _sweep_waiting(self, shards: list[int], now_s: float) -> bool:
        """Mail that a push is overdue for; now and then all of it, and always while some was declined."""
        activations = self._activations
        self._passes += 1
        is_full = activations.overflowed or self._passes % _FULL_EVERY == 0
        declined = activations.declined
        sent_before_s = _EVER_S if is_full else now_s - self._kind.limits.sweep_s
        complete = await self._sweep_mail(shards, sent_before_s=sent_before_s)
        if is_full and complete and activations.declined == declined and self._live.issubset(shards):
            activations.overflowed = False
        return complete

    async def _read_all_mail(self, shards: list[int]) -> None:
        """All that waits, what is delayed too, page by page.

        What cannot be taken now is fed before any push for its actor is: so when this has ended, nothing is overtaken.
        """
        now_s = self._ports.clock.now_s()
        last: MailRow | None = None
        is_full = True
        while is_full:
            self._ports.failpoint(Failpoint.SWEEP_BEGUN)
            rows = await self._kind.store.waiting(
                self._kind.name, shards, due_before_s=_EVER_S, sent_before_s=_EVER_S, limit=self.reach_max, after=last
            )
            for row in rows if self._died else ():
                if row.due_at_s <= now_s:
                    self._suspect(row.id, row.shard)
            self._deliver(rows, now_s)
            is_full = len(rows) == self.reach_max
            last = rows[-1] if rows else None

    def _suspect(self, id: bytes, shard: int) -> None:
        node = self._died.get(shard)
        if node is not None:
            self._activations.suspects.add(id, node)

    async def _sweep_mail(self, shards: list[int], *, sent_before_s: float) -> bool:
        if not shards:
            return True
        now_s = self._ports.clock.now_s()
        self._ports.failpoint(Failpoint.SWEEP_BEGUN)
        rows = await self._kind.store.waiting(
            self._kind.name,
            shards,
            due_before_s=now_s,
            sent_before_s=sent_before_s,
            limit=self._reach,
        )
        self._deliver(rows, now_s)
        complete = len(rows) < self._reach
        # Those found first may all belong to one actor that fails: the next look reaches past them.
        self._reach = self.rows_max if complete else min(self._reach * 2, self.reach_max)
        return complete

    def _deliver(self, rows: list[MailRow], now_s: float) -> None:
        if rows:
            self._ports.failpoint(Failpoint.MAIL_SWEPT)
        for row in rows:
            self._activations.deliver_row(row, now_s)
            self._ports.failpoint(Failpoint.MAIL_DELIVERED)

    async def _sweep_timers(self, shards: list[int]) -> bool:
        before_s = self._ports.clock.now_s() + 2 * self._kind.limits.sweep_s
        rows = await self._kind.store.due(self._kind.name, shards, before_s=before_s, limit=self.rows_max)
        if rows:
            self._ports.failpoint(Failpoint.TIMERS_SWEPT)
        for row in rows:
            for timer in self._timers_of(row):
                if row.shard in self._died and timer.due_at_s <= self._ports.clock.now_s():
                    self._suspect(timer_id(row.address, timer), row.shard)
                self._arm(row, row.shard, timer)
        return len(rows) < self.rows_max

    def _timers_of(self, row: ActorRow) -> list[durable_pb2.Timer]:
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
        error = f"the timers of {address_of(*row.address)} cannot be read: {reason}"
        self._ports.report(SweepFailed(self._kind.name, error))

    # --- guests ---

    async def host(self, address: Address, shard: int, died: str) -> None:
        """Run what waits for an actor whose owner cannot: its mail, and its timers that are due soon."""
        if not self._activations.admit_guest(address, shard, died) or address in self._looking:
            return
        self._looking.add(address)
        try:
            (row,) = await self._kind.store.load([address])
        except StoreError as error:
            self._ports.report(SweepFailed(self._kind.name, str(error)))
            return
        finally:
            self._looking.remove(address)
        if row is None:
            return
        now_s = self._ports.clock.now_s()
        for timer in self._timers_of(row):
            if died and timer.due_at_s <= now_s:
                self._activations.suspects.add(timer_id(address, timer), died)
            if timer.due_at_s <= now_s + 2 * self._kind.limits.sweep_s:
                self._arm(row, shard, timer)

    # --- timers ---

    def arm(self, address: Address, shard: int, draft: Draft) -> None:
        """Have the timers of a commit fire on time, if they are due before a pass is sure to have seen them."""
        row = draft.row_after
        if row is None or row.due_at_s is None:
            return
        soon_s = draft.now_s + 2 * self._kind.limits.sweep_s
        if row.due_at_s <= soon_s:
            for timer in draft.timers.values():
                if timer.due_at_s <= soon_s:
                    self._arm(row, shard, timer)

    def _arm(self, row: ActorRow, shard: int, timer: durable_pb2.Timer) -> None:
        id = timer_id(row.address, timer)
        if id in self._armed or len(self._armed) >= _ARMED_MAX:
            return
        envelope = _fired(row, timer, id)
        self._armed[id] = None
        delay_s = timer.due_at_s - self._ports.clock.now_s()
        self._ports.clock.call_later(max(0.0, delay_s) + _LATE_S, self._fire, envelope, shard)
        self._ports.failpoint(Failpoint.TIMER_ARMED)

    def _fire(self, envelope: Envelope, shard: int) -> None:
        self._armed.pop(envelope.id, None)
        is_guest = shard not in self._live and envelope.address in self._activations.guests
        # Should the wall clock have gone back meanwhile, a later pass arms it again.
        if (shard in self._live or is_guest) and self._ports.clock.now_s() >= envelope.due_at_s:
            taken = self._activations.deliver(envelope, shard)
            self._ports.failpoint(Failpoint.TIMER_FIRED)
            if is_guest and not taken:  # it is being fed, and no pass of this node would find its timer
                self._armed[envelope.id] = None
                self._ports.clock.call_later(_AGAIN_S, self._fire, envelope, shard)


def _fired(row: ActorRow, timer: durable_pb2.Timer, id: bytes) -> Envelope:
    return Envelope(
        id=id,
        kind=row.kind,
        key=row.key,
        type=timer.type,
        body=timer.body,
        conversation=row.conversation,
        cause=timer.set_by,
        sender=address_of(*row.address),
        sent_at_s=timer.due_at_s,
        due_at_s=timer.due_at_s,
        timer=timer.name,
    )
