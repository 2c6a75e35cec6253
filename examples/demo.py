"""Four services as four processes, orders in both styles, one service killed in the middle: `make demo`, `amends demo`.

    sales        keeps orders            billing        charges and refunds
    warehouse    keeps stock, labels     orchestration  drives the orders that are not choreographed

Some orders ship, some cannot be delivered, some cannot be paid. Billing is killed with -9 while orders are under way,
and started again. At the end every order is checked against the books of all services. Exits with 0 if all adds up.
"""

from __future__ import annotations

import asyncio
import sys
from argparse import ArgumentParser, RawTextHelpFormatter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import grpc.aio
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from examples.books import OrderBooks, at_rest, mistakes, read_books
from protos import orders_pb2_grpc
from protos.billing_pb2 import BILLED, BillState
from protos.orders_pb2 import PlaceOrderRequest, RestockRequest
from protos.sales_pb2 import CANCELLED, CHOREOGRAPHY, ORCHESTRATION, READY_TO_SHIP, Flow, OrderStatus
from runtime.adapters import AsyncioTasks, SystemClock
from runtime.admin.tables import conversation_view
from runtime.errors import InvalidSettings
from runtime.observe.conversation import read_conversation
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.throwaway import THROWAWAY_STORES, throwaway_store

__all__ = ["NODE", "SERVICES", "STOCK", "WISHES", "demo", "main"]

SERVICES = ("sales", "billing", "warehouse", "orchestration")
STOCK = {"lamp": 20, "chair": 20}
WITHIN_S = 55.0
_ONWARD = (
    "See it in a browser: [bold]make demo-page[/] keeps four nodes running, and opens the operator's page over them."
)
NODE = (sys.executable, str(Path(__file__).parents[1] / "node.py"))


@dataclass(frozen=True, slots=True)
class DemoOrder:
    """What a customer orders, and how that must end."""

    sku: str
    quantity: int
    amount_cents: int
    end: OrderStatus.ValueType


WISHES = (
    DemoOrder("lamp", 1, 4_900, READY_TO_SHIP),
    DemoOrder("chair", 2, 25_800, READY_TO_SHIP),
    DemoOrder("grand piano", 1, 900_000, CANCELLED),  # not in stock: billed, then back-ordered and refunded
    DemoOrder("lamp", 1, 1_200_000, CANCELLED),  # above the limit: declined
)


@dataclass(frozen=True, slots=True)
class Placed:
    """An order of the demo."""

    order_id: str
    wish: DemoOrder
    flow: Flow.ValueType


def orders_of(part: str) -> list[Placed]:
    """Every wish in both styles."""
    wishes = [(wish, flow) for wish in WISHES for flow in (ORCHESTRATION, CHOREOGRAPHY)]
    return [Placed(f"{part}-{number:02}", wish, flow) for number, (wish, flow) in enumerate(wishes, 1)]


class Demo:
    """The acts of the demo, in order."""

    def __init__(self, harness: Harness, console: Console) -> None:
        self._harness = harness
        self._console = console
        self._orders = {part: orders_of(part) for part in ("before", "during", "after")}

    async def run(self) -> list[str]:
        """Gives what does not add up at the end; nothing if all is well."""
        await self._launch()
        async with self._client() as client:
            for sku, quantity in STOCK.items():
                await client.Restock(RestockRequest(sku=sku, quantity=quantity, request_id="demo"))
            self._say(f"restocked {', '.join(f'{units} x {sku}' for sku, units in STOCK.items())}, no piano")
            await self._storm(client)
        books = await read_books(self._harness.store)
        self._console.print(self._table(books))
        await self._show_conversation(ORCHESTRATION)
        await self._show_conversation(CHOREOGRAPHY)
        return [*self._surprises(books), *mistakes(books)]

    async def _launch(self) -> None:
        with self._console.status("starting four processes"):
            await asyncio.gather(*(self._harness.start(name, [name]) for name in SERVICES))
        for name, node in self._harness.nodes.items():
            self._say(f"{name:<13} runs as process {node.pid} and listens on {node.address}")

    async def _storm(self, client: orders_pb2_grpc.OrderServiceAsyncStub) -> None:
        """Orders come in while billing lives, is dead, and lives again."""
        billing = self._harness.nodes["billing"]
        with self._progress() as progress:
            bar = progress.add_task("orders ended", total=len(list(self._all())))
            watching = AsyncioTasks().start(self._watch(progress, bar), name="watch")
            await self._place(client, "before")
            await self._until_some_ended()
            pid = billing.pid
            billing.kill()
            self._say(f"[bold red]kill -9 {pid}[/]: billing is dead; orders keep coming in")
            await self._place(client, "during")
            await SystemClock().sleep(1.0)  # for people to see that the rest goes on
            await self._harness.restart("billing")
            self._say(f"[bold green]billing is back[/] as process {billing.pid} and takes up what waits for it")
            await self._place(client, "after")
            await watching

    async def _place(self, client: orders_pb2_grpc.OrderServiceAsyncStub, part: str) -> None:
        for order in self._orders[part]:
            request = PlaceOrderRequest(
                order_id=order.order_id,
                sku=order.wish.sku,
                quantity=order.wish.quantity,
                amount_cents=order.wish.amount_cents,
                flow=order.flow,
            )
            await client.PlaceOrder(request, timeout=10.0)
        self._say(f"placed {len(self._orders[part])} orders, in both styles")

    async def _until_some_ended(self) -> None:
        async def check() -> bool:
            orders = (await read_books(self._harness.store)).orders.values()
            return any(order.status != OrderStatus.PENDING for order in orders)

        await self._harness.eventually(check, timeout_s=20, what="the first orders end")

    async def _watch(self, progress: Progress, bar: TaskID) -> None:
        """Moves the bar until everything has ended and is at rest."""
        wanted = len(list(self._all()))

        async def check() -> bool:
            books = await read_books(self._harness.store)
            ended = sum(order.status in (READY_TO_SHIP, CANCELLED) for order in books.orders.values())
            progress.update(bar, completed=ended)
            return ended == wanted and at_rest(books) and not mistakes(books)

        try:
            await self._harness.eventually(check, timeout_s=WITHIN_S, what="all orders end", every_s=0.1)
        except AssertionError:
            pass  # the books are shown and judged either way

    def _all(self) -> Iterator[Placed]:
        for part in self._orders.values():
            yield from part

    def _surprises(self, books: OrderBooks) -> Iterator[str]:
        """Orders that ended otherwise than their customers had to expect."""
        for placed in self._all():
            order = books.orders.get(placed.order_id)
            if order is None:
                yield f"order {placed.order_id} was acknowledged and is not there"
            elif order.status != placed.wish.end:
                yield f"order {placed.order_id} is {OrderStatus.Name(order.status)}"
        for sku, units in STOCK.items():
            sold = sum(placed.wish.quantity for placed in self._all() if _ships(placed, sku))
            on_hand = books.stock[sku].on_hand if sku in books.stock else 0
            if on_hand != units - sold:
                yield f"there are {on_hand} x {sku} on hand; {units} were put in and {sold} sold"

    def _table(self, books: OrderBooks) -> Table:
        table = Table(title="what became of every order", title_justify="left", header_style="bold")
        for column in ("order", "style", "ordered", "ended", "charged", "refunded", "because"):
            table.add_column(column, justify="right" if column in ("charged", "refunded") else "left")
        for placed in self._all():
            order, bill = books.orders.get(placed.order_id), books.bills.get(placed.order_id, BillState())
            if order is None:
                table.add_row(placed.order_id, "", "", "[red]missing[/]")
                continue
            shipped = order.status == READY_TO_SHIP
            table.add_row(
                placed.order_id,
                Flow.Name(order.flow).lower(),
                f"{order.line.quantity} x {order.line.sku}",
                Text(OrderStatus.Name(order.status), style="green" if shipped else "yellow"),
                _money(bill.amount_cents * bill.charges),
                _money(bill.amount_cents * bill.refunds),
                order.label_id if shipped else order.reason,
            )
        return table

    async def _show_conversation(self, flow: Flow.ValueType) -> None:
        """All messages of one order that had to be undone, and that billing's death held up."""
        order = next(placed for placed in self._orders["during"] if placed.flow == flow and placed.wish == WISHES[2])
        row = (await self._harness.store.load([("sales", order.order_id)]))[0]
        if row is not None:
            self._console.print(f"\n[bold]{order.order_id}, by {Flow.Name(flow).lower()}[/]: billed, then undone")
            self._console.print(conversation_view(await read_conversation(self._harness.store, row.conversation)))

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[orders_pb2_grpc.OrderServiceAsyncStub]:
        async with grpc.aio.insecure_channel(self._harness.nodes["sales"].address) as channel:
            yield orders_pb2_grpc.OrderServiceStub(channel)

    def _progress(self) -> Progress:
        columns = (TextColumn("{task.description}"), BarColumn(40), TextColumn("{task.completed} of {task.total}"))
        return Progress(*columns, console=self._console)

    def _say(self, text: str) -> None:
        self._console.print(f"• {text}", highlight=False)


def _ships(placed: Placed, sku: str) -> bool:
    return placed.wish.sku == sku and placed.wish.end == READY_TO_SHIP


def _money(cents: int) -> str:
    return f"{cents / 100:,.2f}" if cents else ""


def _summary(books: OrderBooks) -> str:
    orders, bills = books.orders.values(), books.bills.values()
    shipped = sum(order.status == READY_TO_SHIP for order in orders)
    kept = sum(bill.amount_cents for bill in bills if bill.status == BILLED)
    back = sum(bill.amount_cents * bill.refunds for bill in bills)
    return (
        f"{len(orders)} orders: {shipped} ready to ship, {len(orders) - shipped} cancelled\n"
        f"{kept / 100:,.2f} charged and kept, {back / 100:,.2f} charged and given back\n"
        "every unit of stock is accounted for, no message is left over, nothing happened twice"
    )


async def perform(console: Console, store_url: str = "") -> int:
    """Run the demo on this store, or on a file of its own; the exit code."""
    harness = Harness(command=NODE, store_url=store_url, settings={"log_format": "json"})
    try:
        async with asyncio.timeout(WITHIN_S), harness:
            wrong = await Demo(harness, console).run()
            if wrong:
                raise AssertionError("\n".join(wrong))
            books = await read_books(harness.store)
    except (AssertionError, TimeoutError, grpc.aio.AioRpcError) as error:
        notes = "\n".join(getattr(error, "__notes__", ()))
        console.print(notes, highlight=False, markup=False)
        text = str(error) or f"not done within {WITHIN_S:g} s"
        console.print(Panel(Text(text), title="this does not add up", border_style="red"))
        return 1
    console.print(Panel(Text(_summary(books)), title="all adds up", border_style="green", expand=False))
    console.print(_ONWARD, highlight=False)
    return 0


async def demo(store_url: str) -> int:
    """What `amends demo` runs."""
    return await perform(Console(width=None if sys.stdout.isatty() else 150), store_url)


async def _on(store: str) -> int:
    async with throwaway_store(store, say=lambda what: print(f"• {what}")) as url:  # noqa: T201 - before the first act
        return await demo(url)


def main() -> None:
    about = __doc__ or ""
    parser = ArgumentParser("python -m examples.demo", description=about, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--store", choices=THROWAWAY_STORES, default="sqlite", help="a file, or a PostgreSQL server")
    try:
        sys.exit(asyncio.run(_on(parser.parse_args().store)))
    except InvalidSettings as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
