"""I8: a node that begins a turn, and so may commit, holds a lease by the clock of the store.

Leases do not guard the rows; their own compare-and-set does. Leases decide who acts outside. If a node goes on after
its lease has run out, its handlers run beside those of its successor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runtime.host import Node
from runtime.store.records import ClusterView
from runtime.testing.rules.ledger import Violation

__all__ = ["broken_lease"]

_DRIFT = 0.05  # The share of a lease by which two clocks may differ, if each runs up to 2 % fast or slow.


def broken_lease(node: Node, read: Callable[[], ClusterView], *, is_alone: bool) -> Iterator[Violation]:
    """What is wrong when this node begins a turn. `read` reads the store, whose clock is the leases' measure.

    `is_alone` is false while another process has the node's name, since that one may hold the row.
    """
    if not node.membership.lease_is_sure():
        return
    view = read()
    row = next((row for row in view.nodes if row.name == node.name), None)
    if row is None or row.incarnation != node.incarnation:
        if is_alone:
            yield Violation("I8", f"{node.name} begins a turn and counts on its lease, though it has been evicted")
    elif view.now_s > row.lease_until_s + _DRIFT * node.settings.lease_s:
        late_s = view.now_s - row.lease_until_s
        yield Violation("I8", f"{node.name} begins a turn {late_s:.3f} s after its lease ran out, and counts on it")
