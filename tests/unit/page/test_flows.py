"""The map of what the catalogue does, with what waits at each kind now."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from google.protobuf.message import Message

from protos.billing_pb2 import BillOrder, OrderBilled
from protos.sales_pb2 import PlaceOrder
from runtime.envelope import Envelope
from runtime.operate.mail_by_sender import READ_MAX, MailCount, SentBetween
from runtime.operate.standing import StoreStanding
from runtime.page.flows import arrows_of, kinds_of, others
from runtime.saga.flow_map import OUTSIDE, FlowArrow, FlowMap
from runtime.store.records import ClusterView, MailRow, NodeRow, Transition
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


def letter(number: int, type_: type[Message], sender: str, to: str, *, parked: str = "") -> MailRow:
    """A message that the store holds; given up with a reason for that."""
    row, full_name = mail(number, kind=to, parked=parked), type_.DESCRIPTOR.full_name
    envelope = Envelope(
        id=row.id, kind=to, key=row.key, type=full_name, body=b"", conversation=row.conversation, sender=sender
    )
    return replace(row, envelope=envelope.encoded)


async def test_what_waits_is_counted_where_it_passes_from_one_kind_to_another(
    place: PageStore, browser: Browser
) -> None:
    async with place.writing() as store:
        await fill(
            store,
            letter(1, BillOrder, "order-process/A", "billing"),
            letter(2, BillOrder, "order-process/B", "billing"),
            letter(3, BillOrder, "order-process/C", "billing", parked="torn"),
            letter(4, OrderBilled, "billing/A", "order-process"),
            letter(5, PlaceOrder, "client", "sales"),
            replace(letter(6, PlaceOrder, "client", "sales"), envelope=b"\xff"),
        )
    page = (await browser.get("/flows")).text
    seen = SeenPage(page)
    assert "order-process order-process billing bill: BillOrder 2 1" in seen.text
    assert "OrderBilled or PaymentDeclined 1 0" in seen.text
    assert "such as commands of clients, 2 wait and 0 were given up" in seen.text
    assert "bill: BillOrder (2 waiting, 1 given up)" in page


async def test_of_very_much_mail_no_message_is_looked_at(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        many = [letter(number, BillOrder, "order-process/A", "billing") for number in range(READ_MAX + 1)]
        await store.commit([Transition(mail=tuple(many))])
    seen = SeenPage((await browser.get("/flows")).text)
    assert "The store holds more than 2,000 messages, so that they are counted by kind alone." in seen.text
    assert "order-process order-process billing bill: BillOrder not counted" in seen.text


def test_a_message_from_outside_counts_where_an_arrow_comes_from_outside() -> None:
    came = FlowArrow("trip", OUTSIDE, "trip", "Paid", True, ("shop.Paid",))
    flow = FlowMap(("bank",), ("trip",), (came,))
    mail_of = {
        SentBetween("client", "trip", "shop.Paid"): MailCount(waiting=2),
        SentBetween("bank", "trip", "shop.Paid"): MailCount(waiting=4),
        SentBetween("client", "trip", "shop.Else"): MailCount(letters=8),
    }
    assert [line.mail for line in arrows_of(flow, mail_of)] == [MailCount(waiting=2)]
    assert others(flow, mail_of) == MailCount(waiting=4, letters=8)
