"""The list of sagas: its filters and its pages stand in the address, and go on from page to page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from runtime.saga.view import Phase
from tests.unit.operate.rows import SAGA, fill, mail, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage
from tests.unit.saga.records import task_in


async def keys_of(browser: Browser, address: str) -> tuple[list[str], str]:
    """The keys that the page lists in its order, and the address of the next page."""
    answer = await browser.get(address)
    assert answer.status_code == 200, answer.text
    seen = SeenPage(answer.text)
    assert seen.rows <= 201
    keys = [words.partition("/")[2] for words, link in seen.links.items() if link.startswith("/sagas/")]
    return keys, seen.links.get("Next page", "")


async def test_the_longest_without_progress_comes_first(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, *(saga(f"S{number}", progress_at_s=1000.0 - number) for number in range(5)))
    assert (await keys_of(browser, "/sagas"))[0] == ["S4", "S3", "S2", "S1", "S0"]
    assert (await keys_of(browser, "/sagas?order=key"))[0] == ["S0", "S1", "S2", "S3", "S4"]


async def test_pages_keep_the_filter_and_together_have_each_saga_once(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        stuck = (saga(f"S{number:03}", status=SAGA.STUCK, stuck_reason="no bank") for number in range(230))
        await fill(store, *stuck, *(saga(f"R{number}") for number in range(20)))
    address, found, pages = "/sagas?status=stuck&kind=order-process&error=BANK&key=S", [], 0
    while address:
        keys, address = await keys_of(browser, address)
        found += keys
        pages += 1
        if address:
            query = parse_qs(urlsplit(address).query)
            assert {name: query[name] for name in ("status", "kind", "error", "key")} == {
                "status": ["stuck"],
                "kind": ["order-process"],
                "error": ["BANK"],
                "key": ["S"],
            }
    assert (found, pages) == ([f"S{number:03}" for number in range(230)], 3)


async def test_the_form_shows_the_filter_of_the_address(place: PageStore, browser: Browser) -> None:
    seen = SeenPage((await browser.get("/sagas?status=stuck&status=running&key=A%22B&letters=yes&idle=3.5")).text)
    fields = {str(attrs["name"]): attrs for tag, attrs in seen.tags if tag == "input" and "name" in attrs}
    assert (fields["key"]["value"], fields["idle"]["value"], "checked" in fields["letters"]) == ('A"B', "3.5", True)
    chosen = [attrs["value"] for tag, attrs in seen.tags if tag == "option" and "selected" in attrs]
    assert chosen == ["running", "stuck"]


async def test_only_sagas_that_owe_an_undo_or_with_an_unknown_outcome_are_listed_when_that_is_asked(
    place: PageStore, browser: Browser
) -> None:
    async with place.writing() as store:
        owing = saga("ORD-1", status=SAGA.STUCK, tasks=(task_in(Phase.OWED, "bill"),))
        await fill(store, owing, saga("ORD-2", tasks=(task_in(Phase.UNKNOWN, "ship"),)), saga("ORD-3"))
    assert (await keys_of(browser, "/sagas?owing=yes"))[0] == ["ORD-1"]
    assert (await keys_of(browser, "/sagas?unknown=yes"))[0] == ["ORD-2"]


async def test_only_sagas_with_dead_letters_are_listed_when_that_is_asked(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, saga("ORD-1"), saga("ORD-2"), mail(7, kind="order-process", parked="torn"))
    assert (await keys_of(browser, "/sagas?letters=yes"))[0] == ["ORD-1"]
    assert (await keys_of(browser, "/sagas"))[0] == ["ORD-1", "ORD-2"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=lost", "no saga has the status"),
        ("idle=nan", "is no number of seconds"),
        ("age=-1", "is no number of seconds"),
        ("order=size", "is no order; there are progress, key"),
        ("after=yesterday", "copy it from the end of the page before"),
        ("key=%FF", "none of the page"),
        ("&".join(["a=1"] * 60), "none of the page"),
    ],
)
async def test_a_filter_that_means_nothing_is_refused_with_the_reason(browser: Browser, query: str, said: str) -> None:
    answer = await browser.get(f"/sagas?{query}")
    assert answer.status_code == 400 and said in SeenPage(answer.text).text
