"""A conversation as a table: two hundred messages a page, each with what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from runtime.store.records import Outcome, Transition
from tests.unit.operate.rows import TALK, fill, history, id_of, mail
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage

HERE = f"/conversations/{TALK.hex()}"


async def test_each_message_is_a_row_with_its_cause_and_what_became_of_it(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, history(1, caused=(2, 3)), mail(2, parked="torn <b>"), mail(3))
    seen = SeenPage((await browser.get(HERE)).text)
    assert "3 messages; 2 are open, 1 of them given up." in seen.text
    assert "client sales/ORD-1 PlaceOrder handled 1" in seen.text
    assert "sales/ORD-1 billing/ORD-1 BillOrder parked" in seen.text and "torn <b>" in seen.text
    assert seen.links["billing/ORD-1"] == "/actors/billing/ORD-1"
    assert seen.links["No. 1"] == f"#m{id_of(1).hex()}"
    assert "client" not in seen.links
    assert "elsewhere" not in seen.text


async def test_the_messages_of_a_page_are_drawn_as_lifelines_for_whoever_asks(
    place: PageStore, browser: Browser
) -> None:
    async with place.writing() as store:
        await fill(store, history(1), mail(2, parked="torn <b>"))
    seen = SeenPage((await browser.get(f"{HERE}?only=open")).text)
    assert seen.links["Draw it as lifelines"] == f"{HERE}?only=open&view=lifelines"
    seen = SeenPage((await browser.get(seen.links["Draw it as lifelines"])).text)
    assert [tag for tag, _ in seen.tags].count("svg") == 1 and "parked: torn <b>" in seen.text and seen.rows == 2
    assert seen.links["Show the table alone"] == f"{HERE}?only=open"


async def test_what_a_message_has_sent_into_another_conversation_stands_beside_it(
    place: PageStore, browser: Browser
) -> None:
    async with place.writing() as store:
        await fill(store, history(1, caused=tuple(range(2, 15))), mail(2), history(3))
    seen = SeenPage((await browser.get(HERE)).text)
    assert "Sent on, and recorded elsewhere or forgotten: BillOrder to billing/ORD-1," in seen.text
    assert "and 1 more." in seen.text and seen.rows == 1 + 3


class TestALongConversation:
    """450 messages that were handled a second apart, and three that wait; the sixtieth came after an hour's pause."""

    @pytest.fixture
    async def long(self, place: PageStore, browser: Browser) -> AsyncIterator[Browser]:
        rows = [
            replace(history(number), handled_at_s=float(number + 3_600 * (number > 59))) for number in range(1, 451)
        ]
        rows[59] = replace(rows[59], outcome=Outcome.FAULTED, error="No such Stock", type="shop.ShipOrder")
        rows[449] = replace(rows[449], cause=id_of(60), kind="warehouse", key="a/b")
        async with place.writing() as store:
            await store.commit([Transition(address=(row.kind, row.key), history=(row,)) for row in rows])
            await fill(store, mail(900), mail(901, attempts=2), mail(902, parked="torn", sender="warehouse/a/b"))
        yield browser

    async def test_has_pages_of_two_hundred_rows_in_both_orders(self, long: Browser) -> None:
        for order, first, last in (("", 1, 902), ("newest", 900, 1)):
            address, rows, numbers = f"{HERE}?order={order}", [], []
            while address:
                seen = SeenPage((await long.get(address)).text)
                rows.append(seen.rows - 1)
                numbers += [int(tag["id"] or "", 16) for tag in _rows(seen)]
                address = seen.links.get("Next page", "")
            assert rows == [200, 200, 53]
            assert (numbers[0], numbers[-1]) == (first, last) and len(set(numbers)) == 453
            assert seen.links["First page"] == f"{HERE}?order=newest" if order else HERE

    async def test_shows_what_fits_the_filter_of_the_address(self, long: Browser) -> None:
        for query, numbers in (
            ("only=open", [900, 901, 902]),
            ("only=errors", [60, 901, 902]),
            ("error=no+such", [60]),
            ("type=ShipOrder", [60]),
            ("type=shop.BillOrder&only=errors", [901, 902]),
            ("actor=warehouse/a/b", [450, 902]),
            ("actor=billing&only=open&order=newest", [900, 901, 902]),
            ("actor=nobody", []),
        ):
            seen = SeenPage((await long.get(f"{HERE}?{query}")).text)
            assert [int(tag["id"] or "", 16) for tag in _rows(seen)] == numbers, query
            assert "453 messages; 3 are open, 1 of them given up." in seen.text
        assert "No message fits." in seen.text

    async def test_leads_from_a_message_to_its_cause_on_another_page(self, long: Browser) -> None:
        seen = SeenPage((await long.get(f"{HERE}?order=newest")).text)
        assert seen.links["earlier"] == f"{HERE}?at={id_of(60).hex()}#m{id_of(60).hex()}"
        seen = SeenPage((await long.get(seen.links["earlier"])).text)
        assert int(_rows(seen)[0]["id"] or "", 16) == 60

    async def test_tells_of_a_pause_between_two_messages(self, long: Browser) -> None:
        seen = SeenPage((await long.get(HERE)).text)
        assert seen.text.count("without a message") == 1 and "60 min without a message" in seen.text
        assert [tag.get("class") for tag in _rows(seen)].index("gap") == 59


async def test_an_address_that_means_nothing_is_said(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, history(1), mail(2))
    for query, said in (
        ("only=some", "only='some' means nothing here"),
        ("order=up", "order='up' means nothing here"),
        ("view=gantt", "view='gantt' means nothing here"),
        ("after=7", "is no place in a conversation"),
        ("after=handled/nan/00", "is no place in a conversation"),
        (f"after=open/1.0/00/{1 << 70}/3/billing/a", "is no place in a conversation"),
        ("after=open/1.0/00/1/3/billing", "is no place in a conversation"),
        (f"at={id_of(2).hex()}", "has handled no message"),
        ("at=zz", "has handled no message"),
    ):
        answer = await browser.get(f"{HERE}?{query}")
        assert answer.status_code == 400 and said in SeenPage(answer.text).text


async def test_a_conversation_that_is_none_is_said(browser: Browser) -> None:
    for id, said in (("zz", "32 hexadecimal digits"), (id_of(9).hex(), "has no message of the conversation")):
        answer = await browser.get(f"/conversations/{id}")
        assert answer.status_code == 404 and said in answer.text


def _rows(seen: SeenPage) -> list[dict[str, str | None]]:
    """Their ids are the ids of messages, without the letter in front."""
    found = [dict(attrs) for tag, attrs in seen.tags if tag == "tr" and (attrs.get("id") or "").startswith("m")]
    return [{**attrs, "id": (attrs["id"] or "")[1:]} for attrs in found]
