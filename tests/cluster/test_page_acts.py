"""What the operator's page said before an act is what a real node then did: for every act, on a real file."""

from __future__ import annotations

import asyncio
import html
import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from actors.catalogue import catalogue
from actors.orchestration import OrderProcess
from examples.purchase import purchase_pb2
from examples.purchase.purchase_pb2 import BudgetReserved, PurchaseRequested
from examples.purchase.saga import Buy
from examples.purchase.services import Budgets, PurchaseOrders, Purchases
from protos.billing_pb2 import OrderBilled
from protos.sales_pb2 import OrderLine, OrderPlaced
from protos.warehouse_pb2 import ShippingLabelCreated
from runtime.adapters import system_ports
from runtime.admin.repair_commands import ACTS
from runtime.config import Settings
from runtime.envelope import address_of, decode, shard_of
from runtime.host import Node
from runtime.observe.plain import as_plain
from runtime.page.app import PageApp
from runtime.page.desk import PageDesk, acting_on, view_of
from runtime.page.links import actor_link
from runtime.protos import durable_pb2
from runtime.protos.saga_pb2 import RepairSaga, SagaRecord, TaskRecord
from runtime.saga.catalogue import Catalogue
from runtime.saga.view import status_name, task_name
from runtime.store.port import Store
from runtime.store.records import ActorRow
from runtime.testing.transcript import SagaTranscript
from tests.unit.admin.test_repair import stuck
from tests.unit.gateway.desk.serving import SHARDS
from tests.unit.operate.rows import fill, id_of, row_of
from tests.unit.page.conftest import OWN
from tests.unit.page.filling import previewed, sent
from tests.unit.page.seen import SeenPage

FAR_S = 100_000.0
LINE = OrderLine(sku="CHAIR", quantity=1)


def running() -> SagaTranscript:
    return SagaTranscript(OrderProcess).given(OrderPlaced(order_id="ORD-1", amount_cents=500, line=LINE))


def past_pivot() -> SagaTranscript:
    """The label is made, and sales does not answer."""
    story = running().given(OrderBilled(order_id="ORD-1", charge_id="CH-1", amount_cents=500))
    story.given(ShippingLabelCreated(order_id="ORD-1", label_id="L-1"))
    while story.status != "stuck":
        story.given_silence("close")
    return story


def suspended() -> SagaTranscript:
    return running().given_act(RepairSaga(act=RepairSaga.SUSPEND, who="bo", reason="a test"))


def to_approve() -> SagaTranscript:
    asked = PurchaseRequested(purchase_id="P-1", department="lab", requested_by="bert", item="laptop", price_cents=7)
    return SagaTranscript(Buy).given(asked).given(BudgetReserved(purchase_id="P-1"))


@dataclass(frozen=True)
class Case:
    act: str
    record: SagaRecord
    nth: int = 0  # of those of that name that the page offers
    timers: tuple[str, ...] = ()
    said: tuple[tuple[str, str], ...] = ()


def in_an_hour() -> str:
    """An instant: a span would begin with the preview, and anew with the act, perhaps in the next second."""
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")


def orders() -> list[Case]:
    return [
        Case("retry", stuck()),
        Case("retry", stuck(), nth=1),
        Case("mark-undone", stuck()),
        Case("skip", stuck()),
        Case("suspend", stuck()),
        Case("abandon", stuck()),
        Case("mark-done", past_pivot().record),
        Case("skip", past_pivot().record),
        Case("cancel", running().record),
        Case("force", running().record),
        Case("suspend", running().record),
        Case("resume", suspended().record),
        Case("move-timer", running().record, timers=("bill",), said=(("when", in_an_hour()),)),
    ]


def purchases() -> list[Case]:
    record, limit = to_approve().record, ("manager",)
    return [
        Case("approve", record, timers=limit, said=(("who", "anna"),)),
        Case("decline", record, timers=limit, said=(("who", "anna"),)),
        Case("cancel-timer", record, timers=limit),
        Case("move-timer", record, timers=limit, said=(("when", in_an_hour()),)),
    ]


def row(case: Case, kind: str, number: int, now_s: float) -> ActorRow:
    record, key = SagaRecord.FromString(case.record.SerializeToString()), f"K-{number}"
    record.conversation = id_of(1_000 + number)
    for task in record.tasks:
        if task.until_s:
            task.until_s = now_s + FAR_S
    timers = durable_pb2.Timers(
        timers=[
            durable_pb2.Timer(name=name, due_at_s=now_s + FAR_S, conversation=record.conversation)
            for name in case.timers
        ]
    )
    made = replace(row_of(record, key, kind=kind), shard=shard_of(key, SHARDS), conversation=record.conversation)
    return replace(made, timers=timers.SerializeToString(), due_at_s=now_s + FAR_S if case.timers else None)


@asynccontextmanager
async def node_and_page(
    folder: Path, found: Catalogue, services: Sequence[str]
) -> AsyncIterator[tuple[Store, httpx.AsyncClient]]:
    """Only the sagas have a node: what they send stays in the mail, where it can be compared."""
    url = f"sqlite:///{folder}/page.db"
    settings = Settings(
        services=tuple(services),
        store=url,
        listen="127.0.0.1:0",
        name="a",
        drain_s=2.0,
        sweep_s=0.05,
        shards_per_kind=SHARDS,
    )
    node = Node(settings, found, system_ports())
    await node.start()
    try:
        async with page_of(url, found, "ann") as browser:
            yield node.store, browser
    finally:
        await node.stop()


@asynccontextmanager
async def page_of(url: str, found: Catalogue, who: str) -> AsyncIterator[httpx.AsyncClient]:
    """The browser of somebody, at a page of his own."""
    ports = system_ports()
    desk = PageDesk(view_of(url, ports), found.contracts, url, acting_on(url, ports, found, who))
    transport = httpx.ASGITransport(PageApp(desk, ports).asgi)
    async with httpx.AsyncClient(transport=transport, base_url=OWN, headers={"origin": OWN}, timeout=30) as browser:
        yield browser


@dataclass(frozen=True)
class Followed:
    """What followed an act, or was said to follow: in the words of the page."""

    text: str
    status: str
    sent: tuple[tuple[str, str, object], ...]  # type, address, content
    moves: tuple[tuple[str, str], ...]  # task, and where it stands then
    owed: tuple[str, ...]


def foretold(page: str) -> Followed:
    words = [re.sub(r"</?bdi>", "", one) for one in page.splitlines()]
    [text] = re.findall(r"If you confirm: (.*?)</p>", "\n".join(words))
    status = re.findall(r'becomes <span class="tag">(.*?)</span>', page)
    rows = re.findall(r'<th scope="row">(.*?)</th><td><bdi>(.*?)</bdi></td><td><code><bdi>(.*?)</bdi></code>', page)
    return Followed(
        html.unescape(text),
        status[0] if status else "",
        tuple((name, html.unescape(to), json.loads(html.unescape(line))) for name, to, line in rows),
        tuple((task, after) for task, after in re.findall(r"<li><bdi>([^<]*)</bdi>: .*? becomes (.*?)</li>", page)),
        tuple(re.findall(r"<li>undo of <bdi>(.*?)</bdi></li>", page)),
    )


async def happened(store: Store, found: Catalogue, before: SagaRecord, address: tuple[str, str], id: bytes) -> Followed:
    (after,) = await store.load([address])
    assert after is not None
    record = SagaRecord.FromString(after.state)
    was = {task.path: task_name(task) for task in before.tasks}
    mail = [decode(one.envelope) for one in await store.mail_of_conversation(record.conversation)]
    return Followed(
        record.repairs[-1].text,
        status_name(record) + (", suspended" if record.suspended else ""),
        tuple(
            (
                one.type.rpartition(".")[2],
                address_of(one.kind, one.key),
                as_plain(found.contracts.parse(one.type, one.body)),
            )
            for one in sorted(mail, key=lambda one: one.sequence)
            if one.cause == id
        ),
        tuple((one.path, task_name(one)) for one in record.tasks if was.get(one.path) != task_name(one)),
        tuple(one.path for one in reversed(record.tasks) if one.status == TaskRecord.OWED),
    )


async def compare(folder: Path, found: Catalogue, service: str, kind: str, cases: Sequence[Case]) -> None:
    async with node_and_page(folder, found, [service]) as (store, browser):
        rows = [row(case, kind, number, system_ports().clock.now_s()) for number, case in enumerate(cases)]
        await fill(store, *rows)
        for case, one in zip(cases, rows, strict=True):
            page = actor_link(kind, one.key)
            shown = await previewed(browser, page, case.act, case.nth, **dict(case.said))
            said = foretold(shown.text)
            answer = await sent(browser, shown)
            assert answer.status_code == 303, answer.text
            where = answer.headers["location"]
            told = SeenPage((await browser.get(where)).text)
            id = bytes.fromhex(where.rpartition(".")[2])
            did = await happened(store, found, SagaRecord.FromString(one.state), (kind, one.key), id)
            assert did == said, case.act
            assert f"Done {did.text}" in told.text, (case.act, told.text)


async def test_each_act_on_an_order_does_what_its_preview_said(tmp_path: Path) -> None:
    await compare(tmp_path, catalogue(), "orchestration", "order-process", orders())


async def outcome(browser: httpx.AsyncClient, confirmed: httpx.Response) -> str:
    """The page that tells what came of an act, once a node has handled it."""
    assert confirmed.status_code == 303, confirmed.text
    async with asyncio.timeout(60):
        while "Not done yet" in (text := SeenPage((await browser.get(confirmed.headers["location"])).text).text):
            await asyncio.sleep(0.02)
    return text


async def test_of_two_browsers_that_act_on_one_saga_at_once_one_is_told_what_the_other_has_done(tmp_path: Path) -> None:
    now_s, acts = system_ports().clock.now_s(), {"ann": "mark-undone", "bo": "skip"}
    rows = [row(Case("", stuck()), "order-process", number, now_s) for number in range(6)]
    async with node_and_page(tmp_path, catalogue(), ["orchestration"]) as (store, ann):
        await fill(store, *rows)
        async with page_of(f"sqlite:///{tmp_path}/page.db", catalogue(), "bo") as bo:
            browsers = {"ann": ann, "bo": bo}
            for one in rows:
                page = actor_link("order-process", one.key)
                shown = [await previewed(browsers[who], page, act) for who, act in acts.items()]
                sendings = zip(browsers.values(), shown, strict=True)
                confirmed = await asyncio.gather(*(sent(browser, form) for browser, form in sendings))
                told = [await outcome(*each) for each in zip(browsers.values(), confirmed, strict=True)]
                (found,) = await store.load([("order-process", one.key)])
                assert found is not None
                record = SagaRecord.FromString(found.state)
                (done,) = record.repairs
                won, stale = told if done.who == "ann" else reversed(told)
                assert f"Done {done.text}" in won
                assert (
                    f"it is at revision {record.revision} and not {SagaRecord.FromString(one.state).revision}" in stale
                )
                assert f"{done.who} did {done.text.partition(',')[0]}" in stale, "who was quicker, and with what"
                assert all(f"order-process/{one.key} is {status_name(record)}" in text for text in told), (
                    "both see it as it is now"
                )


async def test_an_operation_over_many_repairs_just_those_that_were_chosen(tmp_path: Path) -> None:
    now_s = system_ports().clock.now_s()
    rows = [row(Case("", stuck()), "order-process", number, now_s) for number in range(31)]
    async with node_and_page(tmp_path, catalogue(), ["orchestration"]) as (store, browser):
        await fill(store, *rows[:30])
        page = await browser.get("/repair?status=stuck")
        shown = await sent(browser, page, "/do/sagas", act="mark-undone", task="bill", all="yes")
        assert "30 would be compensating" in SeenPage(shown.text).text
        await fill(store, rows[30])
        said = {"reason": "paid back", "who": "carla"}
        assert "type their number" in (await sent(browser, shown, "/do/sagas-run", **said)).text
        answer = await sent(browser, shown, "/do/sagas-run", count="30", **said)
        assert answer.status_code == 303, answer.text
        while "It is carried on here" in (seen := SeenPage((await browser.get(answer.headers["location"])).text)).text:
            await asyncio.sleep(0.05)
        assert "30 done, 0 refused, 0 left. It is ended." in seen.text
        audit = SeenPage((await browser.get("/operations?acts=yes")).text)
        assert audit.rows == 31 and "mark-undone bill" in audit.text and "carla paid back done" in audit.text
        found = await store.load([("order-process", one.key) for one in rows])
        *repaired, later = [SagaRecord.FromString(one.state) for one in found if one is not None]
        assert {(one.status, one.repairs[0].who, len(one.repairs)) for one in repaired} == {
            (SagaRecord.COMPENSATING, "carla", 1)
        }
        assert (later.status, len(later.repairs)) == (SagaRecord.STUCK, 0)


async def test_each_act_on_a_purchase_does_what_its_preview_said(tmp_path: Path) -> None:
    services: dict[str, Sequence[type[Any]]] = {"buying": [Buy], "others": [Purchases, Budgets, PurchaseOrders]}
    found = Catalogue(contracts=[purchase_pb2], services=services)
    await compare(tmp_path, found, "buying", "buy", purchases())


def test_every_act_is_among_them() -> None:
    assert {case.act for case in (*orders(), *purchases())} == set(ACTS)
