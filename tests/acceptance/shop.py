"""A shop that runs as real processes: its nodes, a client that does not give up, and a look into its books."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias, TypeVar

import grpc
import grpc.aio

from examples.books import at_rest, mistakes, read_books
from protos import orders_pb2, orders_pb2_grpc
from protos.sales_pb2 import CANCELLED, ORCHESTRATION, READY_TO_SHIP, Flow, OrderState
from runtime.envelope import shard_of
from runtime.store.records import ActorRow, HistoryRow
from runtime.testing.processes.harness import Harness, NodeProcess
from tests.acceptance.freezing import freeze_between_commits

__all__ = ["ENDED", "NODE", "SERVICES", "SHARDS", "Client", "NodeShop", "open_shop"]

ROOT = Path(__file__).parents[2]
NODE = (sys.executable, str(ROOT / "node.py"))
SERVICES = ("sales", "billing", "warehouse", "orchestration")
SHARDS = 16
ENDED = (READY_TO_SHIP, CANCELLED)
_TRY_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,  # by a server that was stopped during the call
)

Answer = TypeVar("Answer")
Client: TypeAlias = "orders_pb2_grpc.OrderServiceAsyncStub"  # named so in the generated stubs only


class NodeShop:
    """What tests do to the order system from outside: as clients, and as readers of its store."""

    def __init__(self, harness: Harness) -> None:
        self.harness = harness
        self._channels: dict[str, grpc.aio.Channel] = {}  # by address

    # --- as clients ---

    def client(self, node: NodeProcess) -> Client:
        """Calls one node, once."""
        if node.address not in self._channels:
            self._channels[node.address] = grpc.aio.insecure_channel(node.address)
        return self.client_over(self._channels[node.address])

    def client_over(self, channel: grpc.aio.Channel) -> Client:
        return orders_pb2_grpc.OrderServiceStub(channel)

    async def anyhow(
        self, call: Callable[[Client], Awaitable[Answer]], *, nodes: Sequence[str] = (), timeout_s: float = 30.0
    ) -> Answer:
        """Ask one node after another until one answers, as a client does that repeats an idempotent call.

        Raises the call's own error when that is an answer, and TimeoutError when nobody gives one.
        """
        tried = 0
        async with asyncio.timeout(timeout_s):
            while True:
                names = [name for name in nodes or self.harness.nodes if self.harness.nodes[name].address]
                node = self.harness.nodes[names[tried % len(names)]]
                tried += 1
                try:
                    return await call(self.client(node))
                except grpc.aio.AioRpcError as error:
                    if error.code() not in _TRY_AGAIN:
                        raise
                await asyncio.sleep(0.02)

    async def place(
        self,
        order_id: str,
        *,
        sku: str = "book",
        quantity: int = 1,
        amount_cents: int = 1_500,
        flow: Flow.ValueType = ORCHESTRATION,
        wait: bool = False,
        nodes: Sequence[str] = (),
        each_s: float = 10.0,
        timeout_s: float = 30.0,
    ) -> orders_pb2.Order:
        """Place an order with whoever answers; `each_s` limits one try, `timeout_s` all of them."""
        request = orders_pb2.PlaceOrderRequest(
            order_id=order_id, sku=sku, quantity=quantity, amount_cents=amount_cents, flow=flow, wait=wait
        )
        return await self.anyhow(
            lambda client: client.PlaceOrder(request, timeout=each_s), nodes=nodes, timeout_s=timeout_s
        )

    def begin_placing(self, order_id: str, *, sku: str, flow: Flow.ValueType, node: str) -> asyncio.Task[object]:
        """Place an order with one node, once, without waiting for its answer."""
        return asyncio.create_task(self.place(order_id, sku=sku, flow=flow, nodes=[node], each_s=30.0))

    async def restock(self, sku: str = "book", quantity: int = 1_000) -> orders_pb2.Stock:
        """Put goods in, once, however often it has to be tried."""
        request = orders_pb2.RestockRequest(sku=sku, quantity=quantity, request_id=os.urandom(8).hex())
        return await self.anyhow(lambda client: client.Restock(request, timeout=5.0))

    async def get(self, order_id: str) -> orders_pb2.Order:
        request = orders_pb2.GetOrderRequest(order_id=order_id)
        return await self.anyhow(lambda client: client.GetOrder(request, timeout=5.0))

    async def cancel(self, order_id: str, reason: str = "changed my mind") -> orders_pb2.Order:
        request = orders_pb2.CancelOrderRequest(order_id=order_id, reason=reason)
        return await self.anyhow(lambda client: client.CancelOrder(request, timeout=5.0))

    async def stock(self, sku: str) -> orders_pb2.Stock:
        request = orders_pb2.GetStockRequest(sku=sku)
        return await self.anyhow(lambda client: client.GetStock(request, timeout=5.0))

    # --- as readers of the store ---

    async def orders(self, order_ids: Iterable[str]) -> dict[str, OrderState]:
        """The orders that are placed, of those asked for."""
        rows = await self.harness.store.load([("sales", order_id) for order_id in order_ids])
        return {row.key: OrderState.FromString(row.state) for row in rows if row is not None}

    async def ended(self, order_ids: Iterable[str], *, timeout_s: float = 30.0) -> dict[str, OrderState]:
        """Wait until all these orders have ended; gives them."""
        wanted = list(order_ids)

        async def check() -> dict[str, OrderState]:
            orders = await self.orders(wanted)
            open_ids = [key for key in wanted if key not in orders or orders[key].status not in ENDED]
            assert not open_ids, f"{len(open_ids)} of {len(wanted)} orders are open, such as {open_ids[0]}"
            return orders

        return await self.harness.eventually(check, timeout_s=timeout_s, what="all orders end", every_s=0.03)

    async def check_books(self, *, timeout_s: float = 30.0) -> None:
        """Wait until nothing is on its way any more, then see that money and goods add up for every order."""

        async def check() -> bool:
            books = await read_books(self.harness.store)
            assert at_rest(books), f"{books.waiting} messages wait, {len(books.orders)} orders are known"
            wrong = mistakes(books)  # a process says that it has ended just after its order has
            assert not wrong, "\n".join(wrong[:20])
            return True

        await self.harness.eventually(check, timeout_s=timeout_s, what="the books add up", every_s=0.1)

    async def actor(self, kind: str, key: str) -> ActorRow | None:
        return (await self.harness.store.load([(kind, key)]))[0]

    async def handled(self, order_id: str) -> list[HistoryRow]:
        """What was handled of an order's conversation so far; empty while it is not placed."""
        row = await self.actor("sales", order_id)
        return [] if row is None else await self.harness.store.conversation(row.conversation)

    async def posted(self, order_id: str) -> bool:
        """Whether the command to place the order waits in the store."""
        return bool(await self.harness.store.waiting_for(("sales", order_id), shard_of(order_id, SHARDS), limit=1))

    async def owners(self, kind: str) -> set[str]:
        """Who owns shards of a kind; with an empty name if nobody owns some."""
        view = await self.harness.store.cluster()
        return {row.owner for row in view.shards if row.kind == kind}

    # --- as the one who pulls plugs ---

    async def freeze(self, *names: str) -> None:
        """Freeze nodes. On a shared file, each at an instant at which it does not hold the lock of the file."""
        for name in names:
            if self.harness.store_url.startswith("sqlite:"):
                await freeze_between_commits(self.harness.nodes[name], self.harness.directory)
            else:
                self.harness.nodes[name].freeze()

    def thaw(self, *names: str) -> None:
        for name in names:
            self.harness.nodes[name].thaw()

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()


@asynccontextmanager
async def open_shop(
    directory: Path,
    *,
    nodes: Iterable[str] = SERVICES,
    store_url: str = "",
    settings: dict[str, object] | None = None,
    proxied: bool = False,
    clocks: bool = False,
) -> AsyncIterator[NodeShop]:
    """A shop with a node for each service, named like it; `nodes` starts only these. The rest is as in Harness."""
    common: dict[str, object] = {"log_format": "json", "shards_per_kind": SHARDS, **(settings or {})}
    async with Harness(
        command=NODE,
        directory=directory,
        store_url=store_url,
        settings=common,
        start_timeout_s=90.0,
        proxied=proxied,
        clocks=clocks,
    ) as harness:
        shop = NodeShop(harness)
        await asyncio.gather(*(harness.start(name, [name]) for name in nodes))
        try:
            yield shop
        finally:
            await shop.close()
