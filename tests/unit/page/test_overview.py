"""The first screen: one sentence, and tiles that lead to the sagas that they count."""

from __future__ import annotations

import pytest

from runtime.operate.overview import sentence
from runtime.operate.standing import StoreStanding
from runtime.saga.view import Phase
from runtime.store.records import ClusterView
from runtime.store.tallies import Tally
from tests.unit.operate.rows import SAGA, fill, join, mail, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage
from tests.unit.saga.records import task_in


def said(*counts: tuple[str, int], owed: tuple[Tally, ...] = ()) -> str:
    standing = StoreStanding(
        1_000.0, sagas=tuple((status, Tally("trip", count, 0.0)) for status, count in counts), owed=owed
    )
    return sentence(standing, ClusterView(0.0, (), (), ()))


def test_the_sentence_begins_with_what_is_worst() -> None:
    told = said(("running", 12), ("stuck", 1), ("compensating", 2))
    assert told == "1 saga is stuck, 2 sagas turn back, 12 sagas go forward; no node has joined."


def test_the_sentence_says_that_nothing_is_under_way() -> None:
    assert said() == "No saga is under way; no node has joined."


@pytest.mark.parametrize(
    ("owed", "told"),
    [
        ((Tally("trip", 1, 960.0),), "1 saga owes an undo, the first for less than a minute"),
        ((Tally("trip", 1, 900.0),), "1 saga owes an undo, the first for a minute"),
        ((Tally("a", 1_200, 900.0), Tally("b", 1, 160.0)), "1,201 sagas owe an undo, the first for 14 min"),
    ],
)
def test_the_sentence_begins_with_undos_that_are_owed(owed: tuple[Tally, ...], told: str) -> None:
    assert said(("stuck", 1), owed=owed).startswith(f"{told}, 1 saga is stuck; ")


async def test_the_overview_counts_what_the_lists_behind_its_tiles_have(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        owing, unknown = (task_in(Phase.OWED, "bill"),), (task_in(Phase.UNKNOWN, "ship"),)
        await fill(
            store,
            saga("A", status=SAGA.STUCK, stuck_reason="no bank", tasks=owing),
            saga("B", tasks=unknown),
            saga("C", status=SAGA.COMPENSATED),
        )
        await fill(store, saga("ORD-1", status=SAGA.COMPENSATING), mail(7, kind="order-process", parked="torn"))
    seen = SeenPage((await browser.get("/")).text)
    assert "1 saga owes an undo, the first for " in seen.text
    assert "1 saga is stuck, 1 saga turns back, 1 saga goes forward; no node has joined." in seen.text
    assert "Dead letters of all actors: 1" in seen.text
    expected = {"Stuck": 1, "Turning back": 1, "Going forward": 1, "Ended": 1, "With dead letters": 1, "Suspended": 0}
    expected |= {"Undo owed": 1, "Outcome unknown": 1}
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


async def test_more_undos_than_a_page_has_rows_are_counted(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        owing = (task_in(Phase.OWED, "bill"),)
        await fill(store, *(saga(f"S{number}", status=SAGA.COMPENSATING, tasks=owing) for number in range(210)))
    assert "210 Undo owed" in SeenPage((await browser.get("/")).text).text
