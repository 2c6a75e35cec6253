"""A conversation as a file, and the history of a saga: of an order that a real node has handled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from actors.catalogue import catalogue
from protos.sales_pb2 import ORCHESTRATION, OrderLine, PlaceOrder
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.host import Node
from runtime.page import exports
from runtime.page.history import history_link
from runtime.store.records import Transition
from tests.unit.operate.rows import TALK, fill, history, id_of, mail, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage

SAGA = "/sagas/order-process/ORD-1"
HISTORY = "/history/order-process/ORD-1"


@pytest.fixture
async def ordered(place: PageStore, browser: Browser) -> AsyncIterator[Browser]:
    """An order without goods: its bill is refunded, since there is nothing to ship."""
    settings = Settings(store=place.url, listen="127.0.0.1:0", name="one", sweep_s=0.1)
    node = Node(settings, catalogue(), system_ports())
    await node.start()
    try:
        line = OrderLine(sku="NONE", quantity=1)
        order = PlaceOrder(order_id="ORD-1", line=line, amount_cents=100, flow=ORCHESTRATION)
        await node.client.ask(order, timeout=20.0)
        while "is compensated" not in (answer := await browser.get(SAGA)).text:
            assert answer.status_code in (200, 404)
            await asyncio.sleep(0.05)
    finally:
        await node.stop()
    yield browser


async def test_an_order_is_saved_in_every_form_and_its_history_told(ordered: Browser) -> None:
    saga = SeenPage((await ordered.get(SAGA)).text)
    talk = saga.links["Its conversation: every message, and what became of it"]
    seen = SeenPage((await ordered.get(talk)).text)
    await _is_a_picture(ordered, seen.links["a picture (SVG)"])
    await _is_mermaid(ordered, seen.links["Mermaid"])
    await _is_json(ordered, seen.links["JSON"], messages=seen.rows - 1)
    await _is_a_test(ordered, seen.links["a test of order-process/ORD-1"])
    assert saga.links["Its history: what each message has changed"] == HISTORY
    await _history_is_told(ordered)


async def _saved(browser: Browser, address: str, name: str, media_type: str) -> str:
    answer = await browser.get(address)
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}"'
    assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    return answer.text


async def _is_a_picture(browser: Browser, address: str) -> None:
    talk = address.split("/")[2]
    picture = await _saved(browser, address, f"conversation-{talk}.svg", "image/svg+xml")
    said = [element.text for element in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {"client", "sales/ORD-1", "order-process/ORD-1", "PlaceOrder", "BillOrder"} <= set(said)


async def _is_mermaid(browser: Browser, address: str) -> None:
    text = await _saved(browser, address, f"conversation-{address.split('/')[2]}.mmd", "text/plain")
    assert text.startswith("sequenceDiagram\n") and "as order-process/ORD-1" in text


async def _is_json(browser: Browser, address: str, *, messages: int) -> None:
    name = f"conversation-{address.split('/')[2]}.json"
    told = json.loads(await _saved(browser, address, name, "application/json"))
    assert len(told["messages"]) == messages and "left_out" not in told


async def _is_a_test(browser: Browser, address: str) -> None:
    code = await _saved(browser, address, "test_order_process_ORD_1.py", "text/x-python")
    told: dict[str, object] = {}
    exec(compile(code, "test_order_process_ORD_1.py", "exec"), told)
    test = told["test_order_process_ord_1"]
    assert callable(test) and "expect" in code
    test()


async def _history_is_told(browser: Browser) -> None:
    seen = SeenPage((await browser.get(HISTORY)).text)
    assert "it is compensated at revision" in seen.text and "States are told so far" not in seen.text
    assert "OrderPlaced sales/ORD-1 handled 1 status: running" in seen.text
    assert "status: compensating compensated" in seen.text
    seen = SeenPage((await browser.get(f"{HISTORY}?between=0,1")).text)
    assert "Between the revisions 0,1" in seen.text and "status running" in seen.text
    assert "Nothing differs." in (await browser.get(f"{HISTORY}?between=1,1")).text
    for between, status, said in (("7", 400, "names no two revisions"), ("0,999", 404, "no record of")):
        answer = await browser.get(f"{HISTORY}?between={between}")
        assert answer.status_code == status and said in answer.text


@pytest.mark.parametrize("key", ["..", "a b/../c", "é#?&<b>", "two\nlines"])
async def test_a_saga_with_any_key_has_a_history(place: PageStore, browser: Browser, key: str) -> None:
    rows = [replace(history(n, kind="order-process"), key=key, revision=n) for n in range(1, 204)]
    async with place.writing() as store:
        await fill(store, saga(key))
        await store.commit([Transition(address=(row.kind, row.key), history=(row,)) for row in rows])
    seen = SeenPage((await browser.get(history_link("order-process", key))).text)
    assert "203 messages were given to it" in seen.text and seen.rows == 201
    seen = SeenPage((await browser.get(seen.links["Later messages"])).text)
    assert seen.rows == 4 and seen.links["Earlier messages"] == history_link("order-process", key)
    saga_screen = SeenPage((await browser.get(seen.links["How it stands"])).text)
    assert saga_screen.links["Its history: what each message has changed"] == history_link("order-process", key)


async def test_without_the_catalogue_messages_are_told_and_states_are_not(place: PageStore) -> None:
    async with place.writing() as store:
        await fill(store, history(1))
    async with place.browsing(acts=False, knows=False) as browser:
        seen = SeenPage((await browser.get(f"/conversations/{TALK.hex()}")).text)
        assert "JSON" in seen.links and "a test of" not in seen.text
        answer = await browser.get("/history/sales/ORD-1")
        assert answer.status_code == 404 and "there is no saga sales/ORD-1" in answer.text


async def test_a_long_conversation_is_saved_as_far_as_a_file_goes_and_says_so(
    place: PageStore, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "_MESSAGES_MAX", 20)
    rows = [replace(history(number), handled_at_s=float(number)) for number in range(1, 28)]
    async with place.writing() as store:
        await store.commit([Transition(address=(row.kind, row.key), history=(row,)) for row in rows])
        await fill(store, mail(9_000, parked="torn <b>"))
    here = f"/conversations/{TALK.hex()}"
    told = (await browser.get(f"{here}/json")).json()
    assert len(told["messages"]) == 20
    assert told["left_out"] == "20 of the 28 messages of this conversation"
    text = (await browser.get(f"{here}/mermaid")).text
    assert text.startswith("%% 20 of the 28 messages of this conversation\n")
    told = (await browser.get(f"{here}/json?only=open")).json()
    assert [one["id"] for one in told["messages"]] == [id_of(9_000).hex()]
    picture = (await browser.get(f"{here}/svg?only=open")).text
    assert "torn &lt;b&gt;" in picture and ElementTree.fromstring(picture) is not None


async def test_a_form_that_is_none_is_said(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, history(1))
    here = f"/conversations/{TALK.hex()}"
    for address, status, said in (
        (f"{here}/pdf", 404, "saved as svg, mermaid, json or test"),
        (f"{here}/svg?only=open", 404, "that fits"),
        (f"{here}/test", 400, "is no address"),
        (f"{here}/test?saga=nobody/1", 404, "there is no saga nobody/1"),
        ("/conversations/zz/svg", 404, "32 hexadecimal digits"),
        (f"/conversations/{id_of(7).hex()}/svg", 404, "no message"),
    ):
        answer = await browser.get(address)
        assert answer.status_code == status and said in SeenPage(answer.text).text, address
