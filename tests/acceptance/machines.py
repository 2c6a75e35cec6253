"""A shop as on several machines: two nodes that each host everything, and a PostgreSQL behind a proxy.

    north ──link("north")──┐
                           ├── Proxy ──▶ PostgresServer
    south ──link("south")──┘

The links break what one node alone has with the store. Clients and the test itself dial as "".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION
from runtime.testing.processes.dialler import Diallers
from runtime.testing.processes.postgresql.server import PostgresServer
from runtime.testing.processes.proxy import ProxiedLink, Proxy
from tests.acceptance.paths import BACK_ORDERED
from tests.acceptance.shop import NodeShop, open_shop

__all__ = ["MACHINES", "Machines", "open_machines"]

MACHINES = ("north", "south")
QUICK: dict[str, object] = {"lease_s": 1.5, "renew_s": 0.3, "sweep_s": 0.3}
_FLOWS = (ORCHESTRATION, CHOREOGRAPHY)
_GOODS = ("book", "book", BACK_ORDERED)


@dataclass
class Machines:
    """The nodes with their shop, the server, and what lies between them."""

    shop: NodeShop
    server: PostgresServer
    proxy: Proxy
    placed: list[str] = field(default_factory=list)  # every order that was acknowledged

    def link(self, node: str) -> ProxiedLink:
        """What a node has with the store."""
        return self.proxy.link(node)

    async def place(self, prefix: str, count: int, *, nodes: Iterable[str] = ()) -> list[str]:
        """Place orders in both styles, some of which cannot be delivered; gives their ids once all are acknowledged."""

        async def one(number: int) -> str:
            order_id = f"{prefix}-{number}"
            sku, flow = _GOODS[number % 3], _FLOWS[number % 2]
            await self.shop.place(order_id, sku=sku, flow=flow, nodes=tuple(nodes), each_s=3.0, timeout_s=90.0)
            self.placed.append(order_id)
            return order_id

        return list(await asyncio.gather(*(one(number) for number in range(count))))

    async def owned_by(self, *names: str) -> None:
        """Wait until exactly these own shards of every kind."""

        async def check() -> bool:
            view = await self.shop.harness.store.cluster()
            owners = {row.kind: {one.owner for one in view.shards if one.kind == row.kind} for row in view.shards}
            wrong = {kind: sorted(found) for kind, found in owners.items() if found != set(names)}
            assert owners, "nobody has taken a shard yet"
            assert not wrong, f"wanted {names}, and there are {wrong}"
            return True

        await self.shop.harness.eventually(check, timeout_s=60, what=f"{names} own all shards", every_s=0.05)

    async def all_ends_well(self) -> None:
        """Every order that was acknowledged ends, and the books add up: nothing is lost, nothing happened twice."""
        await self.shop.ended(self.placed, timeout_s=90)
        await self.shop.check_books(timeout_s=60)

    async def incarnations(self) -> dict[str, str]:
        """Of the members, by name. One that was evicted comes back with another one."""
        return {row.name: row.incarnation for row in (await self.shop.harness.store.cluster()).nodes}

    def events(self, node: str, event: str) -> int:
        """How often a node has said this. What it says over and over it counts, and tells the count 10 s later."""
        records = self.shop.harness.nodes[node].log_records()
        fact = event.title().replace(" ", "")
        repeats = sum(int(record["times"]) for record in records if record.get("fact") == fact)
        return repeats + len([record for record in records if record.get("event") == event])

    def events_of_all(self, event: str) -> int:
        """How often the nodes together have said this."""
        return sum(self.events(node, event) for node in self.shop.harness.nodes)

    async def logged(self, node: str, event: str) -> None:
        """Wait until a node has said this."""
        await self.shop.harness.eventually(
            lambda: self.events(node, event), timeout_s=60, what=f"{node} says: {event}", every_s=0.05
        )

    async def logged_by_all(self, event: str, least: int) -> None:
        """Wait until the nodes together have said this at least so often, with what they count and tell later."""
        await self.shop.harness.eventually(
            lambda: self.events_of_all(event) >= least, timeout_s=60, what=f"{least} times: {event}", every_s=0.2
        )


@asynccontextmanager
async def open_machines(
    directory: Path,
    server: PostgresServer,
    *,
    settings: dict[str, object] | None = None,
    nodes: Iterable[str] = MACHINES,
) -> AsyncIterator[Machines]:
    """Two nodes on a new database of this server, with goods in stock. Leases are short unless `settings` say more."""
    url = await server.create_database()
    shops: list[NodeShop] = []

    def pids() -> dict[str, int]:
        return {node.name: node.pid for shop in shops for node in shop.harness.nodes.values() if node.alive}

    async with Proxy(server.address, who=Diallers(pids).name_of) as proxy:
        behind = server.url_of(url.rpartition("/")[2], address=proxy.address)
        async with open_shop(directory, nodes=(), store_url=behind, settings={**QUICK, **(settings or {})}) as shop:
            shops.append(shop)
            await asyncio.gather(*(shop.harness.start(name) for name in nodes))
            machines = Machines(shop, server, proxy)
            await machines.owned_by(*nodes)
            await shop.restock("book", 100_000)
            yield machines
