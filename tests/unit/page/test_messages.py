"""A conversation as a table: two hundred messages a page, each with what became of it."""

from __future__ import annotations

from tests.unit.operate.rows import TALK, fill, history, id_of, mail
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage


async def test_each_message_is_a_row_with_its_cause_and_what_became_of_it(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, history(1, caused=(2, 3)), mail(2, parked="torn <b>"), mail(3))
    seen = SeenPage((await browser.get(f"/conversations/{TALK.hex()}")).text)
    assert "3 messages; 2 are open." in seen.text
    assert "client sales/ORD-1 PlaceOrder handled 1" in seen.text
    assert "sales/ORD-1 billing/ORD-1 BillOrder parked" in seen.text and "torn <b>" in seen.text
    assert seen.links["billing/ORD-1"] == "/actors/billing/ORD-1"
    assert "client" not in seen.links


async def test_a_long_conversation_has_pages_of_two_hundred_rows(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, *(history(number) for number in range(1, 451)))
    address, rows = f"/conversations/{TALK.hex()}", []
    while address:
        seen = SeenPage((await browser.get(address)).text)
        rows.append(seen.rows - 1)
        address = seen.links.get("Later messages", "")
    assert rows == [200, 200, 50]
    assert seen.links["Earlier messages"] == f"/conversations/{TALK.hex()}?from=200"


async def test_a_conversation_that_is_none_is_said(browser: Browser) -> None:
    for id, said in (("zz", "32 hexadecimal digits"), (id_of(9).hex(), "has no message of the conversation")):
        answer = await browser.get(f"/conversations/{id}")
        assert answer.status_code == 404 and said in answer.text
