"""The first screen: one sentence, and tiles that lead to the sagas that they count."""

from __future__ import annotations

from runtime.page.overview import sentence
from runtime.store.records import ClusterView
from tests.unit.operate.rows import SAGA, fill, join, mail, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage


def said(*counts: tuple[str, int]) -> str:
    return sentence([("trip", status, count) for status, count in counts], ClusterView(0.0, (), (), ()))


def test_the_sentence_begins_with_what_is_worst() -> None:
    told = said(("running", 12), ("completed", 9), ("stuck", 1), ("compensating", 2))
    assert told == "1 saga is stuck, 2 sagas turn back, 12 sagas go forward; no node has joined."


def test_the_sentence_says_that_nothing_is_under_way() -> None:
    assert said(("completed", 9)) == "No saga is under way; no node has joined."


async def test_the_overview_counts_what_the_lists_behind_its_tiles_have(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(
            store, saga("A", status=SAGA.STUCK, stuck_reason="no bank"), saga("B"), saga("C", status=SAGA.COMPENSATED)
        )
        await fill(store, saga("ORD-1", status=SAGA.COMPENSATING), mail(7, kind="order-process", parked="torn"))
    seen = SeenPage((await browser.get("/")).text)
    assert "1 saga is stuck, 1 saga turns back, 1 saga goes forward; no node has joined." in seen.text
    assert "Dead letters of all actors: 1" in seen.text
    expected = {"Stuck": 1, "Turning back": 1, "Going forward": 1, "Ended": 1, "With dead letters": 1, "Suspended": 0}
    expected["Idle for 10 minutes"] = 2  # by the store's clock all rows are old
    for name, count in expected.items():
        [address] = [address for words, address in seen.links.items() if words.startswith(f"{count} {name} ")]
        listed = SeenPage((await browser.get(address)).text)
        assert max(0, listed.rows - 1) == count, address


async def test_the_overview_tells_nodes_that_have_lost_their_lease(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await join(store, "alive", kinds=("billing",))
        await join(store, "dead", kinds=("sales",), lease_s=0.0)
    seen = SeenPage((await browser.get("/")).text)
    assert "1 of 2 nodes has a lease" in seen.text
    assert "dead expired" in seen.text and "alive holds" in seen.text


async def test_an_empty_store_has_an_overview(browser: Browser) -> None:
    answer = await browser.get("/")
    assert answer.status_code == 200 and "No saga is under way" in answer.text
