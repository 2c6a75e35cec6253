"""Mutants of leases: a node believes that it has a lease although, by the store's clock, it has none.

Runs that freeze a node at a failpoint, between a question to the store and its answer, show them.
"""

from __future__ import annotations

from runtime.cluster.lease import Lease
from runtime.cluster.membership import Membership
from runtime.cluster.seat import Seat
from runtime.store.memory_members import MemoryMembers
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["LEASES"]

LEASES = (
    Mutant(
        "eviction-counts-as-renewal",
        "A node that hears at its renewal that it was evicted goes on as if it had the lease.",
        (Edit(Seat.renew, "return alive", "self._renewed(sent_s)\n    return True"),),
    ),
    Mutant(
        "failed-renewal-counts",
        "A renewal that never reached the store counts as a slow one, and the lease goes on.",
        (
            Edit(
                Membership._guarded_round,
                "self._watch.failed()",
                "self._watch.failed()\n        self._seat.lease.renewed(self._clock.monotonic_s())",
            ),
        ),
    ),
    Mutant(
        "evicted-before-its-lease-is-over",
        "A member that was not seen to renew for two thirds of a lease is removed before its lease ends.",
        (
            Edit(
                Membership._evict,
                "row.lease_until_s < view.now_s and not self._watch.silent_in_s(row)",
                "not self._watch.silent_in_s(row)",
            ),
            Edit(MemoryMembers.evict, "or node.lease_until_s > self._clock.now_s()", ""),
        ),
    ),
    Mutant(
        "lease-and-a-quarter",
        "A node adds a quarter of a lease to its lease, since its timers may be late.",
        (Edit(Lease.renewed, "sent_s + self.lease_s", "sent_s + 1.25 * self.lease_s"),),
    ),
    Mutant(
        "lease-until-its-timer",
        "A node trusts its lease until the timer has run, even if it wakes from a freeze before that.",
        (
            Edit(Lease.is_sure, "self._clock.monotonic_s() < self._deadline_s", "self._timer is not None"),
            Edit(Lease._expire, "if self.is_sure:", "if self._clock.monotonic_s() < self._deadline_s:"),
        ),
    ),
    Mutant(
        "lease-ends-without-a-word",
        "The timer that should report the end of a lease begins the lease anew.",
        (
            Edit(Lease._expire, "if self.is_sure:", "if self._deadline_s > 0:"),
            Edit(
                Lease._expire,
                "self.renewed(self._deadline_s - self.lease_s)",
                "self.renewed(self._clock.monotonic_s())",
            ),
        ),
    ),
)
