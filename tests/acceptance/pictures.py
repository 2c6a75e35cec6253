"""The pictures of the operator's page in docs/howto: taken by a real browser, of a shop whose bank is closed.

    python -m tests.acceptance.pictures      takes them all anew, and writes beside them what each of them shows

A picture cannot be compared. What it shows can: its headings, columns, buttons and links. A test looks at the same
screens, and fails once one of them shows something else than its picture does.
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.common.by import By

from actors.billing import Billing
from actors.choreography import OrderChoreography
from actors.orchestration import OrderProcess
from actors.sales import Sales
from actors.warehouse import Warehouse
from protos import billing_pb2, orders_pb2, sales_pb2, warehouse_pb2
from protos.billing_pb2 import OrderRefunded, RefundOrder
from protos.sales_pb2 import ORCHESTRATION, OrderLine, PlaceOrder
from protos.warehouse_pb2 import Restock
from runtime import Budget, Catalogue, RetryPolicy
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.host import Node
from runtime.operate.survey import Wanted, sagas
from tests.acceptance.browser import chromium_at, until
from tests.acceptance.page_process import page_of
from tests.acceptance.shop import ROOT

__all__ = ["PICTURES", "SHOWN", "Shown", "of_each", "shop_with_a_closed_bank"]

PICTURES = ROOT / "docs" / "howto" / "pictures"
SHOWN = PICTURES / "shown.json"
STUCK = "ORD-17"
SIZE = (1200, 860)
CATALOGUE = "tests.acceptance.pictures:catalogue"

Shown = Mapping[str, list[str]]

_WORDS = """
const words = [];
for (const one of document.querySelectorAll("h1, h2, h3, th, button, label, legend, main nav a"))
    words.push(one.tagName.toLowerCase() + " " + one.innerText.trim());
const plain = (text) => text.replace(/[0-9a-f]{32}/g, "ID").replace(/\\d+/g, "#").replace(/\\s+/g, " ");
return [...new Set(words.map(plain))];
"""


class ClosedBank(Billing, kind="billing", retries=RetryPolicy(immediate=0, delays=())):
    """It takes money, and gives none back today."""

    async def refund(self, command: RefundOrder) -> OrderRefunded:
        raise RuntimeError("the bank is closed")


def catalogue() -> Catalogue:
    """The order system, whose saga gives up after its second try, so that nobody waits."""
    return Catalogue(
        contracts=[sales_pb2, billing_pb2, warehouse_pb2, orders_pb2],
        services={
            "sales": [Sales],
            "billing": [ClosedBank],
            "warehouse": [Warehouse],
            "orchestration": [OrderProcess.with_steps(bill={"budget": Budget(asks_max=2, backoff=0.05)})],
        },
        choreographies=[OrderChoreography],
    )


@asynccontextmanager
async def shop_with_a_closed_bank(folder: Path) -> AsyncIterator[str]:
    """The address of a page over a shop of two nodes: a dozen orders are done, and one cannot be undone."""
    url = f"sqlite:///{folder}/shop.db"
    ports = system_ports()
    nodes = [
        Node(Settings(services=services, store=url, listen="127.0.0.1:0", name=name), catalogue(), ports)
        for name, services in (("shop-1", ("sales", "orchestration")), ("shop-2", ("billing", "warehouse")))
    ]
    for node in nodes:
        await node.start()
    try:
        await nodes[0].client.ask(Restock(sku="HAT", quantity=12))
        for number in range(5, 18):
            line = OrderLine(sku="HAT", quantity=1)
            order = PlaceOrder(order_id=f"ORD-{number}", line=line, amount_cents=2_500, flow=ORCHESTRATION)
            await nodes[0].client.ask(order)
            await _at_rest(nodes[0], f"ORD-{number}")
        async with page_of(url, signal.SIGTERM, "--catalogue", CATALOGUE) as address:
            yield address
    finally:
        for node in reversed(nodes):
            await node.stop()


async def _at_rest(node: Node, key: str) -> None:
    """Until its saga has ended, or is stuck."""
    async with asyncio.timeout(60):
        while True:
            found = (await sagas(node.store, Wanted(key=key), limit=1)).entries
            if found and found[0].status in ("completed", "stuck"):
                return
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class _Camera:
    """Goes from screen to screen as a person would."""

    browser: webdriver.Chrome
    address: str

    def screens(self) -> Iterator[str]:
        """Gives the name of each picture while the browser shows what it is of."""
        browser = self.browser
        browser.get(self.address)
        until(browser, "1 saga is stuck")
        yield "overview"
        browser.find_element(By.PARTIAL_LINK_TEXT, "Stuck").click()
        until(browser, STUCK)
        browser.find_element(By.PARTIAL_LINK_TEXT, STUCK).click()
        until(browser, "What can be done")
        yield "stuck-saga"
        browser.find_element(By.PARTIAL_LINK_TEXT, "retry").click()
        until(browser, "The preview comes first")
        browser.find_element(By.NAME, "who").clear()
        browser.find_element(By.NAME, "who").send_keys("ann")
        browser.find_element(By.NAME, "reason").send_keys("the bank is open again")
        browser.find_element(By.XPATH, "//button[. = 'Preview']").click()
        until(browser, "RefundOrder")
        yield "preview"
        browser.get(f"{self.address}sagas/order-process/{STUCK}")
        until(browser, "What can be done")
        browser.find_element(By.PARTIAL_LINK_TEXT, "onversation").click()
        until(browser, "BackOrdered")
        browser.find_element(By.PARTIAL_LINK_TEXT, "lifelines").click()
        until(browser, "Show the table alone")
        yield "conversation"


def of_each(browser: webdriver.Chrome, address: str, folder: Path | None = None) -> Shown:
    """What each screen shows; with a folder its picture is taken, too."""
    browser.set_window_size(*SIZE)
    shown: dict[str, list[str]] = {}
    for name in _Camera(browser, address).screens():
        shown[name] = list(browser.execute_script(_WORDS))
        if folder is not None:
            browser.save_screenshot(str(folder / f"{name}.png"))
    return shown


async def take_all() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium_at(Path(folder) / "profile") as browser:
        async with shop_with_a_closed_bank(Path(folder)) as address:
            shown = await asyncio.to_thread(of_each, browser, address, PICTURES)
    SHOWN.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    asyncio.run(take_all())
