"""One box finds whatever has a name."""

from __future__ import annotations

import pytest

from tests.unit.operate.rows import TALK, actor, fill, history, join, order, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage


@pytest.mark.parametrize(
    ("text", "leads_to"),
    [
        ("ONLY", "/sagas/order-process/ONLY"),
        (" order-process/ONLY ", "/sagas/order-process/ONLY"),
        (TALK.hex(), f"/conversations/{TALK.hex()}"),
        ("order-process", "/sagas?kind=order-process"),
        ("a/b", "/sagas/order-process/a%2Fb"),
    ],
)
async def test_what_exactly_one_thing_is_called_leads_there(
    place: PageStore, browser: Browser, text: str, leads_to: str
) -> None:
    async with place.writing() as store:
        await fill(store, saga("ONLY"), saga("a/b"), saga("ORD-1"), history(1))
    answer = await browser.get("/find", params={"q": text})
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)
    assert (await browser.get(leads_to)).status_code == 200


async def test_all_that_have_the_key_are_named_and_those_whose_key_begins_so(
    place: PageStore, browser: Browser
) -> None:
    async with place.writing() as store:
        await fill(store, saga("ORD-1"), actor("sales", state=order()), saga("ORD-12"), saga("X"))
    seen = SeenPage((await browser.get("/find?q=ORD-1")).text)
    found = {"order-process/ORD-1", "sales/ORD-1", "order-process/ORD-12"}
    assert {words for words in seen.links if "/" in words} == found


async def test_a_node_is_found_by_its_name(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await join(store, "node-7", kinds=("billing",))
    assert (await browser.get("/find?q=node-7")).headers["location"] == "/"


@pytest.mark.parametrize("text", ["nothing", "<script>", "%00", "a" * 5_000, "//", "/", "00"])
async def test_what_nothing_is_called_is_said(browser: Browser, text: str) -> None:
    answer = await browser.get("/find", params={"q": text})
    assert answer.status_code == 200 and "Nothing is called" in answer.text


async def test_an_empty_search_says_what_can_be_found(browser: Browser) -> None:
    assert "Write the key of a saga" in (await browser.get("/find")).text
