"""Has nodes of a simulated cluster run the versions that they are told to."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.testing.world.cluster import SimCluster
from runtime.testing.world.node import SimNode

__all__ = ["deploy"]

_LOOK_S = 0.25


async def deploy(cluster: SimCluster, versions: Mapping[str, int]) -> None:
    """Have the named nodes run these versions. Other nodes stay as they are, and so do those that failed for good."""
    nodes = [node for node in cluster.nodes if node.name in versions]
    for node in nodes:
        node.version = versions[node.name]
    while late := [node for node in nodes if _is_late(node)]:
        for node in late:
            if node.runs_version != node.version:
                node.drain()
        await cluster.sleep(_LOOK_S)


def _is_late(node: SimNode) -> bool:
    return not node.failed_for_good and (not node.serves or node.runs_version != node.version)
