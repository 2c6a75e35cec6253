"""The map of what the catalogue does, with what waits at each kind now."""

from __future__ import annotations

from xml.etree import ElementTree

from runtime.operate.standing import StoreStanding
from runtime.page.flows import kinds_of
from runtime.saga.flow_map import FlowMap
from runtime.store.records import ClusterView, NodeRow
from runtime.store.tallies import Tally
from tests.unit.operate.rows import fill, join, mail, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage


def test_a_kind_tells_what_stands_there_and_what_is_worst_comes_first() -> None:
    nodes = (
        NodeRow("one", "1", "a:1", ("trip", "sales"), "0", 101.0),
        NodeRow("dead", "1", "a:2", ("bank",), "0", 1.0),
    )
    standing = StoreStanding(
        100.0,
        sagas=(("running", Tally("trip", 2, 1.0)), ("stuck", Tally("trip", 1_000, 1.0))),
        mail=(Tally("bank", 7, 90.0),),
        letters=(Tally("sales", 1, 5.0), Tally("bank", 2, 6.0)),
    )
    lines = kinds_of(FlowMap(("bank", "sales", "idle"), ("trip",), ()), ClusterView(100.0, nodes), standing)
    assert [(line.kind, line.told) for line in lines] == [
        ("bank", "7 waiting, 2 given up"),
        ("sales", "1 given up"),
        ("trip", "1,002 open"),
        ("idle", ""),
    ]
    assert [line.hosts for line in lines] == [(), ("one",), ("one",), ()]


async def test_the_map_is_a_picture_and_a_table_with_live_counts(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, saga("A"), saga("B"), mail(7, parked="torn"), mail(8), mail(9))
        await join(store, "one", kinds=("billing",))
    page = (await browser.get("/flows")).text
    picture = ElementTree.fromstring(page[page.index("<svg") : page.index("</svg>") + 6])
    said = [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"order-process", "2 open", "billing", "2 waiting, 1 given up", "bill: BillOrder"} <= {*said}
    seen = SeenPage(page)
    assert "billing service one 2" in seen.text and "order-process saga none 2 0 0" in seen.text
    assert "order-process order-process billing bill: BillOrder" in seen.text
    assert seen.links["1"] == "/dead-letters?kind=billing"
    assert seen.links["order-process"] == "/sagas?kind=order-process"
    assert "What the checker finds" in seen.text
    assert (await browser.get(seen.links["a picture (SVG)"])).headers["content-type"].startswith("image/svg+xml")
    assert (await browser.get(seen.links["Mermaid"])).text.startswith("flowchart LR\n")
    assert (await browser.get("/flows/pdf")).status_code == 404


async def test_a_kind_that_the_store_knows_otherwise_is_told(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await store.keep_kind_names({"gone": "gone"})
    assert "the store has the kind &#39;gone&#39;" in (await browser.get("/flows")).text


async def test_without_a_catalogue_the_page_says_how_to_name_one(place: PageStore) -> None:
    async with place.browsing(acts=False, knows=False) as browser:
        seen = SeenPage((await browser.get("/flows")).text)
        assert "The page does not know what the project hosts" in seen.text and "--catalogue MODULE:NAME" in seen.text
