"""The parts of a node that its monitor looks at. It changes none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.cluster.membership import Membership
from runtime.durable.region.headroom import Headroom
from runtime.durable.region.sweeper import Sweeper
from runtime.mesh.peers import Mesh
from runtime.store.committer import Committer
from runtime.store.port import OperatorStore

__all__ = ["NodeParts"]


@dataclass(frozen=True, slots=True)
class NodeParts:
    """Of a node that has joined its cluster."""

    membership: Membership
    sweepers: Mapping[str, Sweeper]  # by kind, of those that the node hosts
    committer: Committer
    headroom: Headroom
    mesh: Mesh
    store: OperatorStore
