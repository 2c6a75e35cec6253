"""Mutants of the streams between nodes. At rest every two live nodes must have one."""

from __future__ import annotations

from runtime.cluster.roster import _timeless
from runtime.mesh.inbound import Inbound
from runtime.mesh.peer import Peer
from runtime.mesh.peers import Mesh
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["LINKS"]

LINKS = (
    Mutant(
        "unreachable-peer-given-up",
        "A peer that could not be reached is never dialled again.",
        (Edit(Peer.run, "self._failed(error)", "self._failed(error); return"),),
    ),
    Mutant(
        "pause-ends-at-a-word",
        "A lost peer is dialled again only after it was heard of.",
        (
            Edit(
                Peer._wait,
                "self._ports.clock.call_later(delay_s, self._wake)",
                "self._ports.clock.call_later(delay_s, bool)",
            ),
        ),
    ),
    Mutant(
        "new-life-not-noticed",
        "A member that was restarted at its old address does not count as new.",
        (Edit(_timeless, "_all_but_times(node)", '_all_but_times(replace(node, incarnation=""))'),),
    ),
    Mutant(
        "one-dials-for-both",
        "Of two nodes only the later in the alphabet dials, so that the other has no stream to it.",
        (Edit(Mesh.set_peers, "node != self._identity.node:", "node < self._identity.node:"),),
    ),
    Mutant(
        "older-stream-wins",
        "Of two streams of one node the newer is ended, although the older may be dead.",
        (
            Edit(
                Inbound.run,
                'self._before.stream.drop("a newer stream has taken its place")',
                'self.stream.drop("there is a stream already")',
            ),
        ),
    ),
)
