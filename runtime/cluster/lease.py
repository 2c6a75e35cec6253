"""Judgements by the own monotonic clock: is our lease sure, was the store there all along, who has not renewed.

membership ──renewed──▶ Lease        the deadline counts from before the renewal was sent, so it is never late
anyone ──is_sure──▶                  before each turn
timer ──▶ lapsed()                   even while a renewal hangs in the store

membership ──answered──▶ StoreWatch  may we evict? Only after a full lease without a gap in the store's answers
           ──read──▶                 and only whom we have seen not to renew, whatever the clocks show
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from runtime.config import wrong_renewal
from runtime.errors import InvalidSettings
from runtime.ports import Cancellable, Clock
from runtime.store.records import ClusterView, NodeRow

__all__ = ["ClusterSettings", "Lease", "StoreWatch"]


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Times of membership. With the defaults, the shards of a killed node move within 1.1 to 1.6 s.

    `lease_s`: how long a node that died keeps its shards. `renew_s`: the longest pause between two renewals, at most
    a third of the lease. `shards_per_kind`: how finely a kind can be spread; the same on all nodes, for good.
    `clock_skew_max_s`: a wall clock further off than this is reported, and not gone by.
    """

    lease_s: float = 1.5
    renew_s: float = 0.4
    shards_per_kind: int = 16
    clock_skew_max_s: float = 2.0

    def __post_init__(self) -> None:
        if wrong := wrong_renewal(self.renew_s, self.lease_s):
            raise InvalidSettings(wrong)
        if self.shards_per_kind < 1:
            raise InvalidSettings(f"shards_per_kind is {self.shards_per_kind}; it must be at least 1")

    @property
    def gap_s(self) -> float:
        """The longest silence of the store that still can't cost a live node its lease.

        A node that renewed just before the silence began waits up to `renew_s` after it; a tenth of the lease is
        left for the renewal itself.
        """
        return self.lease_s * 0.9 - self.renew_s


class Lease:
    """Our own lease, as far as we can be sure of it."""

    def __init__(self, clock: Clock, lease_s: float, lapsed: Callable[[], None]) -> None:
        self._clock = clock
        self.lease_s = lease_s  # For how long a renewal makes it sure.
        self._lapsed = lapsed
        self._deadline_s = float("-inf")
        self._timer: Cancellable | None = None

    @property
    def is_sure(self) -> bool:
        """False from the deadline on, also when a frozen process has just woken and no timer has run yet."""
        return self._clock.monotonic_s() < self._deadline_s

    @property
    def left_s(self) -> float:
        """How long it is sure yet; 0 when it is not."""
        return max(0.0, self._deadline_s - self._clock.monotonic_s())

    def renewed(self, sent_s: float) -> None:
        """A renewal that was sent at this monotonic instant has worked."""
        self._cancel()
        self._deadline_s = sent_s + self.lease_s
        self._timer = self._clock.call_later(self.left_s, self._expire)

    def drop(self) -> None:
        """Be unsure from now on, without a call to `lapsed`."""
        self._cancel()
        self._deadline_s = float("-inf")

    def _expire(self) -> None:
        if self.is_sure:  # The timer was early: clocks and timers need not agree to the microsecond.
            self.renewed(self._deadline_s - self.lease_s)
        else:
            self._timer = None
            self._lapsed()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class StoreWatch:
    """Knows since when the store has answered us without a gap, while its clock ran like ours.

    Only writes count as answers: a writer frozen in its transaction blocks every renewal, while reads go on. After
    an outage, or a jump of the store's clock, everybody looks expired. The watch then begins anew, and every member
    gets a full lease to renew.
    """

    def __init__(self, clock: Clock, settings: ClusterSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._since_s: float | None = None
        self._answered_s = 0.0
        self._offset_s: float | None = None
        self._read_at_s = 0.0
        self._seen: dict[str, tuple[str, float, float]] = {}
        # Of each member: its incarnation, the end of its lease, and since when we have seen these two.

    @property
    def may_evict(self) -> bool:
        now_s = self._clock.monotonic_s()
        return (
            self._since_s is not None
            and now_s - self._answered_s <= self._settings.gap_s
            and now_s - self._since_s >= self._settings.lease_s
        )

    def answered(self) -> None:
        """A write of ours has worked just now."""
        now_s = self._clock.monotonic_s()
        if self._since_s is None or now_s - self._answered_s > self._settings.gap_s:
            self._since_s = now_s
        self._answered_s = now_s

    def failed(self) -> None:
        """A call to the store has failed."""
        self._since_s = None

    def read(self, view: ClusterView, *, sent_s: float) -> None:
        """The tables, as read by a call that was sent at this monotonic instant."""
        self.read_clock(view.now_s, sent_s=sent_s)
        self._read_at_s, before = sent_s, self._seen
        self._seen = {}
        for row in view.nodes:
            life, until_s, since_s = before.get(row.name, ("", 0.0, sent_s))
            is_same = (life, until_s) == (row.incarnation, row.lease_until_s)
            self._seen[row.name] = row.incarnation, row.lease_until_s, since_s if is_same else sent_s

    def silent_in_s(self, row: NodeRow) -> float:
        """How many seconds after the last read a member that does not renew will count as silent; 0.0 if it does now.

        A member's clock may be off by more than a lease lasts, so that even a fresh lease looks run out. We may have
        seen a renewal up to `renew_s` late, which is a third of a lease at most. So a member that died counts as silent
        by the time its lease has run out.
        """
        lease_s = row.lease_s or self._settings.lease_s
        _, _, since_s = self._seen.get(row.name, ("", 0.0, self._read_at_s))
        return max(0.0, since_s + max(lease_s - self._settings.renew_s, lease_s * 2 / 3) - self._read_at_s)

    def read_clock(self, store_now_s: float, *, sent_s: float) -> None:
        """The store's clock showed this, for a read that was sent at this monotonic instant."""
        offset_s = store_now_s - sent_s
        if self._offset_s is not None and abs(offset_s - self._offset_s) > self._settings.gap_s:
            self._since_s = None
        self._offset_s = offset_s
