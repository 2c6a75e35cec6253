"""Mutants of clocks and links: what a node knows of time, of its lease and of its peers."""

from __future__ import annotations

from runtime.cluster.cluster_time import ClusterTime
from runtime.cluster.lease import Lease
from runtime.cluster.seat import Seat
from runtime.durable.region.sweeper import Sweeper
from runtime.durable.region.timers import DueTimers
from runtime.mesh.peer import Peer
from runtime.mesh.peers import Mesh
from runtime.mesh.send_queue import SendQueue
from runtime.store.memory import MemoryStore
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["MACHINES"]

MACHINES = (
    Mutant(
        "lease-from-its-answer",
        "A node counts its lease from the answer to its renewal, and not from the question.",
        (
            Edit(
                Seat._renewed,
                "self.lease.renewed(sent_s)",
                "self.lease.renewed(self._clock.monotonic_s())",
            ),
        ),
    ),
    Mutant(
        "lease-by-the-wall-clock",
        "A node measures its lease by the wall clock, which may go back.",
        (
            Edit(
                Lease.renewed,
                "self._deadline_s = sent_s + self.lease_s",
                "self._deadline_s = sent_s + self.lease_s + self._clock.now_s() + self._clock.off_s()"
                " - self._clock.monotonic_s()",
            ),
            Edit(
                Lease.left_s,
                "self._deadline_s - self._clock.monotonic_s()",
                "self._deadline_s - self._clock.now_s() - self._clock.off_s()",
            ),
            Edit(
                Lease.is_sure,
                "self._clock.monotonic_s()",
                "self._clock.now_s() + self._clock.off_s()",
            ),
        ),
    ),
    Mutant(
        "clock-follows-the-machine",
        "A node follows a jump of its machine's clock, instead of reporting it.",
        (Edit(ClusterTime.look, "self._said_s = off_s", "self._clock.set_right(off_s)"),),
        workload="random",
    ),
    Mutant(
        "starts-by-its-own-clock",
        "A node that starts with a wrong clock does not go by the time of its live peers.",
        (Edit(ClusterTime.anchor, "if heard:", "if heard and not first:"),),
    ),
    Mutant(
        "store-tells-no-time",
        "A node that starts alone does not move its clock forward to the time that the store has seen.",
        (Edit(ClusterTime._go_on_from, "if by_s > self._settings.clock_skew_max_s:", "if by_s == float('inf'):"),),
    ),
    Mutant(
        "timers-by-the-machines-clock",
        "Timers fire by the clock of the machine, which jumps.",
        (
            Edit(DueTimers._arm, "self._clock.now_s()", "self._clock.now_s() - self._clock.off_s()"),
            Edit(DueTimers._fire, "self._clock.now_s()", "self._clock.now_s() + self._clock.off_s()"),
        ),
        workload="random",
    ),
    Mutant(
        "lease-twice-as-long",
        "A node believes in its lease for twice the time that the store has given it.",
        (Edit(Lease.renewed, "sent_s + self.lease_s", "sent_s + 2 * self.lease_s"),),
    ),
    Mutant(
        "restarted-peer-not-dialled",
        "A peer that was restarted at its old address counts as the one that was there before.",
        (
            Edit(
                Mesh.set_peers,
                "if peers.get(node) != peer.at:",
                "if node not in peers or peers[node].address != peer.at.address:",
            ),
        ),
    ),
    Mutant(
        "broken-stream-not-dialled-again",
        "A node that has lost its stream to another only reads the store, and does not dial.",
        (Edit(Peer.run, "await self._use(link, hello)", "await self._use(link, hello); return"),),
    ),
    Mutant(
        "frames-last-first",
        "Messages that do not fit into one frame leave with the newest first.",
        (Edit(SendQueue._take_some, "encoded = queue.popleft()", "encoded = queue.pop()"),),
        workload="streams",
    ),
    Mutant(
        "takeover-reads-one-page",
        "A take-over reads only the first page of the waiting mail.",
        (Edit(Sweeper._read_all_mail, "is_full = len(rows) == self.reach_max", "is_full = False"),),
        workload="streams",
    ),
    Mutant(
        "purge-forgets-waiting-mail",
        "Old conversations are forgotten although they have waiting mail, such as a dead letter.",
        (Edit(MemoryStore.purge, "live = {row.conversation for row in self._all_mail()}", "live = set[bytes]()"),),
        workload="random",
    ),
    Mutant(
        "peers-never-renewed",
        "A node dials the members that were there when it started, and none that joins later.",
        (Edit(Mesh.set_peers, "if node not in self._peers and", "if not self._peers and"),),
    ),
)
