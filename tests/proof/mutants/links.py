"""Mutants of the way from each node to each other: at rest, every two that live have a stream."""

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
        "A peer that could not be reached is not dialled any more.",
        (Edit(Peer.run, "self._failed(error)", "self._failed(error); return"),),
    ),
    Mutant(
        "pause-ends-at-a-word",
        "A peer that is lost is dialled again only when it is heard of.",
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
        "A member that was started again, at the address of its earlier life, is no news.",
        (Edit(_timeless, "lease_until_s=0.0, clock_off_s=0.0", 'lease_until_s=0.0, clock_off_s=0.0, incarnation=""'),),
    ),
    Mutant(
        "one-dials-for-both",
        "Of two nodes only the later in the alphabet dials, and the other has no way to it.",
        (Edit(Mesh.set_peers, "node != self._identity.node:", "node < self._identity.node:"),),
    ),
    Mutant(
        "older-stream-wins",
        "Of two streams of one node the newer is ended, though the older may be dead.",
        (
            Edit(
                Inbound.run,
                'self._before.stream.drop("a newer stream has taken its place")',
                'self.stream.drop("there is a stream already")',
            ),
        ),
    ),
)
