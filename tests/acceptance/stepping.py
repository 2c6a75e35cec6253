"""Walks orders from one message boundary to the next, by letting one node run at a time.

All nodes are frozen but the one whose turn it is. What it sends waits for a frozen node, so an order moves by exactly
one message for each thaw, whatever the machine's speed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from graphlib import TopologicalSorter

from tests.acceptance.paths import Path
from tests.acceptance.shop import SERVICES, NodeShop

__all__ = ["Walk"]


class Walk:
    """Some orders, by id, with the paths they are expected to take; all stand at the same boundary."""

    def __init__(self, shop: NodeShop, orders: Mapping[str, Path]) -> None:
        self._shop = shop
        self._orders = dict(orders)
        self.boundary = 0

    async def begin(self) -> None:
        """Place the orders while Sales is frozen, then freeze the others too: the commands wait in the store."""
        await self._shop.freeze("sales")
        for order_id, path in self._orders.items():
            await self._post(order_id, path)
        await self._shop.freeze(*(name for name in SERVICES if name != "sales"))
        await self.check()

    async def step(self) -> None:
        """Let each order handle its next message."""
        for service in self._turns():
            moving = [key for key, path in self._orders.items() if service in path.services_at(self.boundary)]
            self._shop.thaw(service)
            await self._shop.harness.eventually(
                partial(self._have_moved, service, moving),
                timeout_s=30,
                what=f"{', '.join(moving)} leave boundary {self.boundary} by way of {service}",
                every_s=0.002,
            )
            await self._shop.freeze(service)
        self.boundary += 1
        await self.check()

    async def check(self) -> None:
        """Each order has handled what it must have at this boundary, and nothing else."""
        for order_id, path in self._orders.items():
            rows = await self._shop.handled(order_id)
            # What was posted before a new node has looked through a dead one's mail runs alone, and a row says so.
            handled = sorted((row.type, row.kind) for row in rows if row.type != "trial")
            nodes = {name: node.describe() for name, node in self._shop.harness.nodes.items()}
            assert handled == path.handled(self.boundary), (
                f"{order_id} ({path}) is not at boundary {self.boundary}: {handled}, {nodes}"
            )

    async def _post(self, order_id: str, path: Path) -> None:
        placing = self._shop.begin_placing(order_id, sku=path.sku, flow=path.flow, node="orchestration")
        await self._shop.harness.eventually(
            lambda: self._shop.posted(order_id), timeout_s=30, what=f"{order_id} is posted", every_s=0.002
        )
        placing.cancel()  # its client hangs up; the order stays

    async def _have_moved(self, service: str, order_ids: Iterable[str]) -> bool:
        for order_id in order_ids:
            path = self._orders[order_id]
            rows = await self._shop.handled(order_id)
            done = {(row.type, row.kind) for row in rows}
            if not all(message in done for message in path.by(service, self.boundary)):
                return False
        return True

    def _turns(self) -> list[str]:
        """Who is let run, in an order in which no thaw carries an order on over the boundary after this one."""
        before: dict[str, set[str]] = {}
        for path in self._orders.values():
            for service in path.services_at(self.boundary):
                before.setdefault(service, set()).update(path.services_at(self.boundary + 1))
        wanted = before.keys()
        graph = {service: sorted(others & wanted) for service, others in sorted(before.items())}
        return list(TopologicalSorter(graph).static_order())
