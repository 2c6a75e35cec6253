"""Becoming a member, and what happens when somebody of our name is one already.

holder of the name        what its address says                      what we do
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
from runtime.store.port import MemberStore
from runtime.store.records import ClusterView, NodeRow

__all__ = ["WhoIsAt", "join"]

_HOLDERS_MAX = 8

WhoIsAt = Callable[[str], Awaitable[str | None]]
"""Asks the address host:port for the incarnation of the node of our own name.

None: certainly no such node there (connection refused, or a node of another name answers). Raises DeadlineExceeded
when there is no telling (connected but silent, or not reachable in time), and nothing else.
"""


async def join(
    store: MemberStore, ports: Ports, node: NodeRow, settings: ClusterSettings, who: WhoIsAt, view: ClusterView
) -> float:
    """Write the node's row. The monotonic instant from which its lease counts. Raises NodeNameTaken, StoreError.

    `view` is what was read last. A member of our name is asked even if its lease has run out: that is so by our own
    clock, which may be ahead, and without a third node nobody has told us.
    """
    clock = ports.clock
    known = _holder(view, node)
    suspect: NodeRow | None = None
    silent_at_s = 0.0
    seen: dict[str, None] = {}
    replaced = ""
    while True:
        sent_s = clock.monotonic_s()
        holder = known or await store.join(node, lease_s=settings.lease_s, replace=replaced)
        known = None
        if holder is None:
            return sent_s
        if suspect is not None and _renewed(suspect, holder):
            raise _taken(holder, "keeps renewing its lease")
        await _note(seen, holder, ports, settings)
        try:
            answer = await who(holder.address)
        except DeadlineExceeded:
            if suspect is None or suspect.incarnation != holder.incarnation:
                ports.report(NameHeld(holder.name, holder.address, holder.incarnation, settings.lease_s))
                silent_at_s = sent_s + (holder.lease_s or settings.lease_s)
            suspect = holder
            await clock.sleep(settings.renew_s / 4)
            if holder.lease_until_s <= clock.now_s() and clock.monotonic_s() < silent_at_s:
                known = _holder(await store.cluster(), node)
            continue
        if answer is not None and answer != node.incarnation:
            raise _taken(holder, "answers there")
        replaced = holder.incarnation


def _holder(view: ClusterView, node: NodeRow) -> NodeRow | None:
    return next((row for row in view.nodes if row.name == node.name and row.incarnation != node.incarnation), None)


async def _note(seen: dict[str, None], holder: NodeRow, ports: Ports, settings: ClusterSettings) -> None:
    """One holder after another, each gone when we ask, are others that start under our name as we do."""
    if holder.incarnation in seen:
        return
    if len(seen) >= _HOLDERS_MAX:
        raise _taken(holder, f"is the {len(seen) + 1}th that got the name while this one waits for it")
    if seen:
        await ports.clock.sleep(settings.renew_s / 4)
    seen[holder.incarnation] = None


def _renewed(before: NodeRow, now: NodeRow) -> bool:
    return now.incarnation == before.incarnation and now.lease_until_s > before.lease_until_s


def _taken(holder: NodeRow, proof: str) -> NodeNameTaken:
    return NodeNameTaken(
        f"a live node is already named {holder.name!r}: {holder.address} {proof} (incarnation {holder.incarnation}). "
        "Stop it, or start this one under another name."
    )
