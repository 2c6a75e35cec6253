"""I8: whoever begins a turn, and so may commit, holds a lease by the clock of the store.

Leases do not guard the rows, which their own compare-and-set does. They decide who acts outside: a node that goes on
after its lease has run out has its handlers called beside those of its successor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from runtime.host import Node
from runtime.store.records import ClusterView
from runtime.testing.rules.ledger import Violation

__all__ = ["broken_lease"]

_DRIFT = 0.05  # of a lease: two clocks that each run up to 2 % fast or slow may differ by this


def broken_lease(node: Node, read: Callable[[], ClusterView], *, is_alone: bool) -> Iterator[Violation]:
    """What is wrong when this node begins a turn; `read` reads the store, by whose clock leases run out.

    `is_alone` is false while another process has the node's name, and may hold its row.
    """
    if not node.membership.lease_is_sure():
        return
    view = read()
    row = next((row for row in view.nodes if row.name == node.name), None)
    if row is None or row.incarnation != node.incarnation:
        if is_alone:
            yield Violation("I8", f"{node.name} begins a turn and is sure of its lease, though it has been evicted")
    elif view.now_s > row.lease_until_s + _DRIFT * node.settings.lease_s:
        late_s = view.now_s - row.lease_until_s
        yield Violation("I8", f"{node.name} begins a turn {late_s:.3f} s after its lease ran out, and is sure of it")
