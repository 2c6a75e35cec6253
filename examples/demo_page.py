"""The demo goes on, and people look at it: four nodes under light load, and the operator's page over their store.

    make demo-page          four processes, an order every half second, the page at http://127.0.0.1:7680/
    the strip on each page  kills one of the nodes with -9; the demo starts it again after some seconds

The buttons belong to this process alone: `amends page` knows nothing of processes. Ctrl-C ends all of it, and so does
an hour.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from argparse import ArgumentParser, RawTextHelpFormatter
from html import escape

import grpc
import grpc.aio
from rich.console import Console
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from actors.catalogue import catalogue
from examples.demo import NODE, SERVICES, STOCK, WISHES
from protos import orders_pb2_grpc
from protos.orders_pb2 import PlaceOrderRequest, RestockRequest
from protos.sales_pb2 import CHOREOGRAPHY, ORCHESTRATION
from runtime.adapters import AsyncioTasks, system_ports
from runtime.errors import AmendsError
from runtime.gateway.http_server import HttpServer
from runtime.observe.signals import until_told
from runtime.page.app import PageApp
from runtime.page.desk import PageDesk, acting_on, view_of
from runtime.page.guard import Guard
from runtime.testing.processes.harness import Harness

__all__ = ["DemoPage", "main"]

_LISTEN = "127.0.0.1:7680"
_DEAD_S = 5.0  # until a killed node is started again: longer than its lease, so that others are seen to notice
_EVERY_S = 0.5  # between two orders
_RESTOCK_EVERY = 10  # orders; what they take is put back
_GRACE_S = 2.0


class DemoPage:
    """Four nodes, their load, and the page. `serve` it; cancelling that ends it."""

    def __init__(self, harness: Harness, console: Console, listen: str, dead_s: float = _DEAD_S) -> None:
        ports = system_ports()
        url, known = harness.store_url, catalogue()
        desk = PageDesk(view_of(url, ports), known.contracts, url, acting_on(url, ports, known, who="demo"))
        self._harness, self._console, self._dead_s = harness, console, dead_s
        self._clock = ports.clock
        self._page = PageApp(desk, ports)
        kill = Route("/demo/kill/{name}", self._kill, methods=["POST"])
        app = Starlette(
            routes=[kill, Mount("/", _WithStrip(self._page.asgi, SERVICES))],
            middleware=[Middleware(Guard)],
        )
        self._server = HttpServer(app, listen, ports.tasks)
        self._tasks = AsyncioTasks()
        self._rising: dict[str, asyncio.Task[None]] = {}  # nodes that were killed and are to be started again

    async def serve(self) -> None:
        """Until it is cancelled. Raises AddressInUse, and what the harness does when a node does not start."""
        with self._console.status("starting four processes"):
            await asyncio.gather(*(self._harness.start(name, [name]) for name in SERVICES))
        await self._server.start()
        try:
            self._say(f"the page is at http://{self._server.address}/ (Ctrl-C ends the demo)")
            self._say("the strip on top of each page kills a node with -9; it is started again after some seconds")
            await self._order_for_ever()
        finally:
            for one in self._rising.values():
                one.cancel()
            self._page.reader.close()
            await self._server.close(_GRACE_S)

    async def _kill(self, request: Request) -> Response:
        """A form of this page has asked for it: the guard lets no page of others do so."""
        name = request.path_params["name"]
        if name not in SERVICES:
            return PlainTextResponse(f"there is no node {name!r}; there are {', '.join(SERVICES)}\n", 404)
        if name not in self._rising:
            node = self._harness.nodes[name]
            self._say(f"[bold red]kill -9 {node.pid}[/]: {name} is dead; orders keep coming in")
            node.kill()
            self._rising[name] = self._tasks.start(self._raise(name), name=f"{name} comes back")
        return RedirectResponse("/", 303)

    async def _raise(self, name: str) -> None:
        try:
            await self._clock.sleep(self._dead_s)
            node = await self._harness.restart(name)
            self._say(f"[bold green]{name} is back[/] as process {node.pid} and takes up what waits for it")
        finally:
            del self._rising[name]

    async def _order_for_ever(self) -> None:
        """One order after another, in both styles. Some ship, some cannot be delivered, some cannot be paid."""
        kinds = itertools.cycle(itertools.product(WISHES, (ORCHESTRATION, CHOREOGRAPHY)))
        for number, (wish, flow) in enumerate(kinds):
            if number % _RESTOCK_EVERY == 0:
                for sku, quantity in STOCK.items():
                    await self._call("Restock", RestockRequest(sku=sku, quantity=quantity, request_id=f"{number}"))
            order = PlaceOrderRequest(
                order_id=f"demo-{number:05}",
                sku=wish.sku,
                quantity=wish.quantity,
                amount_cents=wish.amount_cents,
                flow=flow,
            )
            await self._call("PlaceOrder", order)
            await self._clock.sleep(_EVERY_S)

    async def _call(self, method: str, request: object) -> None:
        """To a node that lives. One that is killed meanwhile takes the call with it, as it would for any client."""
        living = [node for name, node in self._harness.nodes.items() if name not in self._rising]
        for node in living[:1]:
            try:
                async with grpc.aio.insecure_channel(node.address) as channel:
                    await getattr(orders_pb2_grpc.OrderServiceStub(channel), method)(request, timeout=5.0)
            except grpc.aio.AioRpcError as error:
                self._say(f"{method} was not taken: {error.code().name}")

    def _say(self, text: str) -> None:
        self._console.print(f"• {text}", highlight=False)


class _WithStrip:
    """Puts the buttons into each page of HTML that passes."""

    def __init__(self, app: ASGIApp, names: tuple[str, ...]) -> None:
        self._app = app
        buttons = "".join(
            f'<form method="post" action="/demo/kill/{escape(name)}"><button>kill -9 {escape(name)}</button></form>'
            for name in names
        )
        self._strip = f'<main id="main"><div class="tiles" role="group" aria-label="Demo">{buttons}</div>'.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Message = {}

        async def passing(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                headers = dict(message["headers"])
                if not headers.get(b"content-type", b"").startswith(b"text/html"):
                    start = {}
                    await send(message)
            elif start:  # A page is drawn whole, so it is one message.
                body = message["body"].replace(b'<main id="main">', self._strip, 1)
                kept = [(name, value) for name, value in start["headers"] if name != b"content-length"]
                length = (b"content-length", str(len(body)).encode())
                await send({**start, "headers": [*kept, length]})
                await send({**message, "body": body})
            else:
                await send(message)

        await self._app(scope, receive, passing)


async def demo_page(console: Console, listen: str, minutes: float, dead_s: float) -> int:
    """Gives the exit code: 0 when somebody has ended it, or its time was over. Leaves no process and no file."""
    try:
        async with Harness(command=NODE, settings={"log_format": "json"}) as harness:
            try:
                async with asyncio.timeout(minutes * 60.0):
                    await DemoPage(harness, console, listen, dead_s).serve()
            except asyncio.CancelledError:  # a signal, which ends the demo as it is meant to end
                console.print("• the demo has ended", highlight=False)
            except TimeoutError:
                console.print(f"• {minutes:g} minutes are over, so the demo has ended", highlight=False)
    except (AmendsError, AssertionError) as error:
        console.print("\n".join((*getattr(error, "__notes__", ()), str(error))), highlight=False, markup=False)
        return 1
    return 0


def main() -> None:
    parser = ArgumentParser("python -m examples.demo_page", description=__doc__, formatter_class=RawTextHelpFormatter)
    parser.add_argument("--listen", default=_LISTEN, help=f"an address of the loopback  [default: {_LISTEN}]")
    parser.add_argument("--minutes", type=float, default=60.0, help="it ends by itself after so long  [default: 60]")
    parser.add_argument(
        "--dead-s", type=float, default=_DEAD_S, help=f"seconds until a killed node is back  [default: {_DEAD_S:g}]"
    )
    chosen = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 150)
    sys.exit(asyncio.run(until_told(demo_page(console, chosen.listen, chosen.minutes, chosen.dead_s), [])))


if __name__ == "__main__":
    main()
