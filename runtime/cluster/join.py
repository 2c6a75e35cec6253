"""Becoming a member, and what happens when somebody of our name is one already.

holder of the name        what the probe says                          what we do
------------------        -------------------                          ----------
killed                    nobody is there (None)                       replace it at once: its shards are ours again
an earlier listener       we answer ourselves: the port is ours now    the same
alive                     its incarnation                              NodeNameTaken
frozen, unreachable       there is no telling (DeadlineExceeded)       wait: renewed means alive, expired means gone
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from runtime.cluster.facts import NameHeld
from runtime.cluster.lease import ClusterSettings
from runtime.errors import DeadlineExceeded, NodeNameTaken
from runtime.ports import Ports
from runtime.store.port import Store
from runtime.store.records import NodeRow

__all__ = ["Probe", "join"]

Probe = Callable[[str], Awaitable[str | None]]
"""Asks the address host:port for the incarnation of the node of our own name.

None: certainly no such node there (connection refused, or a node of another name answers). Raises DeadlineExceeded
when there is no telling (connected but silent, or not reachable in time), and nothing else.
"""


async def join(store: Store, ports: Ports, node: NodeRow, settings: ClusterSettings, probe: Probe) -> float:
    """Write the node's row. The monotonic instant from which its lease counts. Raises NodeNameTaken, StoreError."""
    clock = ports.clock
    suspect: NodeRow | None = None
    replaced = ""
    while True:
        sent_s = clock.monotonic_s()
        holder = await store.join(node, lease_s=settings.lease_s, replace=replaced)
        if holder is None:
            return sent_s
        if suspect is not None and _renewed(suspect, holder):
            raise _taken(holder, "keeps renewing its lease")
        try:
            answer = await probe(holder.address)
        except DeadlineExceeded:
            if suspect is None or suspect.incarnation != holder.incarnation:
                ports.report(NameHeld(holder.name, holder.address, holder.incarnation, settings.lease_s))
            suspect = holder
            await clock.sleep(settings.renew_s / 4)
            continue
        if answer is not None and answer != node.incarnation:
            raise _taken(holder, "answers there")
        replaced = holder.incarnation


def _renewed(before: NodeRow, now: NodeRow) -> bool:
    return now.incarnation == before.incarnation and now.lease_until_s > before.lease_until_s


def _taken(holder: NodeRow, proof: str) -> NodeNameTaken:
    return NodeNameTaken(
        f"a live node is already named {holder.name!r}: {holder.address} {proof} (incarnation {holder.incarnation}). "
        "Stop it, or start this one under another name."
    )
