"""Mutants of ownership: shards, take-overs, hand-overs, draining.

None of them can lose a message or write a state twice, since the compare-and-set on the rows prevents that. A mutant
that costs only time breaks the promise that everything ends, or that a node stops when it is told to.
"""

from __future__ import annotations

from runtime.cluster.handover import Handover
from runtime.cluster.lease import Lease
from runtime.cluster.membership import Membership
from runtime.cluster.placement import plan
from runtime.cluster.seat import Seat
from runtime.durable.region.ownership import Ownership
from runtime.durable.region.shards import Shards
from runtime.durable.region.sweeper import Sweeper
from runtime.durable.residence.activation import Activation
from runtime.durable.residence.memory import Memory
from runtime.durable.residence.residents import Residents
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["OWNERSHIP", "UNIT_OWNERSHIP"]

OWNERSHIP = (
    Mutant(
        "takeover-without-reload",
        "A node that gets a shard back goes on with the states in its memory, on top of changed rows.",
        (
            Edit(
                Residents.drop_all,
                "self._drop(activation)",
                "activation.fetched = False",
            ),
            Edit(
                Activation._run,
                "if not self._loaded and not await self._load(batch):",
                "if not self.fetched:\n        await self._host.fetch(self)\n"
                "    if not self._loaded and not await self._load(batch):",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "takeover-without-sweep",
        "A new owner of a shard takes pushes before it has read the shard's waiting mail.",
        (Edit(Sweeper.read_everything, "await self._read_all_mail(shards)", "pass"),),
        workload="streams",
    ),
    Mutant(
        "takeover-deaf-to-pushes",
        "Pushes that were declined during a take-over are not read before the shard is live.",
        (Edit(Ownership.on_declined_push, "if shard in self._taking:", "if False:"),),
        workload="streams",
    ),
    Mutant(
        "failed-takeover-counts",
        "A take-over counts as done although the store failed.",
        (Edit(Handover._take, "told = False", "told = True"),),
        workload="streams",
    ),
    Mutant(
        "release-while-turn-runs",
        "A shard is given away while a turn of it still runs.",
        (Edit(Memory.look_for_idle, "if any(activation.busy for activation in concerned):", "if False:"),),
        workload="streams",
        unseen=(
            "by design: if the new owner was faster, the compare-and-set stops the turn that still runs. This costs a "
            "conflict, and breaks no promise"
        ),
        held_by="tests/unit/durable/test_ownership.py",
    ),
    Mutant(
        "lost-shards-written-in-parts",
        "A node that still runs shards which the store has lost writes the kind's other shards too early.",
        (Edit(plan, "slot[0] not in lost and ", ""),),
        workload="failover",
    ),
    Mutant(
        "release-keeps-taking",
        "A shard that is being given away goes on taking pushes, and starting turns.",
        (Edit(Shards.release, "self.sweepers[kind].ownership.give_up(shards)", "pass"),),
        workload="streams",
    ),
    Mutant(
        "lease-for-ever",
        "A node believes in its lease, whatever the clock says.",
        (Edit(Lease.is_sure, "self._clock.monotonic_s() < self._deadline_s", "self._deadline_s > 0"),),
        workload="streams",
    ),
    Mutant(
        "lease-renewed-while-stalled",
        "A helper beside the event loop renews a node's lease even while the loop stands still.",
        (
            Edit(
                Membership.start,
                "self._loop.add_done_callback(self._ended)",
                """self._loop.add_done_callback(self._ended)
    from tests.proof.mutants.stalled import renew_beside
    renew_beside(self._store, self._name, self._seat.row.incarnation, lease_s=self._settings.lease_s, every_s=0.4)""",
            ),
        ),
    ),
    Mutant(
        "nobody-evicts",
        "A member whose lease has run out is not removed.",
        (Edit(Membership._evict, "if not expired or not self._watch.may_evict:", "if True:"),),
    ),
    Mutant(
        "draining-node-claims-work",
        "A node that was told to stop still counts as a host, and claims shards.",
        (Edit(Seat.host_nothing, "self.row = replace(self.row, kinds=())", "pass"),),
    ),
    Mutant(
        "placement-by-the-placer",
        "Each node ranks nodes by a list of its own, so that two nodes may claim one shard.",
        (
            Edit(
                Membership._act,
                "self._roster.placement, self._name",
                "{slot: self._name for slot in self._roster.placement}, self._name",
            ),
        ),
        workload="streams",
    ),
)

UNIT_OWNERSHIP = (
    Mutant(
        "taken-over-for-ever",
        "A shard is read again as long as a push comes for it while it is being taken over.",
        (Edit(Ownership.take_over, "is_last=reads >= _READS_MAX", "is_last=False"),),
        workload="failover",
        unseen="pushes have to come in every one of very many reads, as from many clients that ask again and again",
        held_by="tests/unit/durable/test_ownership.py",
    ),
    Mutant(
        "live-without-what-was-missed",
        "A shard that pushes never cease to come for becomes live, and takes the next ones before those.",
        (Edit(Ownership._take, "self.residents.note_missed_mail()", "pass"),),
        workload="failover",
        unseen="a push has to come in each of three reads, and its actor another before the next sweep",
        held_by="tests/unit/durable/test_ownership.py",
    ),
)
