"""The screen of one saga: what it waits for, its steps, and the commands by which an operator can act."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.catalogue import catalogue
from protos.orders_pb2 import OrderProcessState
from runtime.protos.saga_pb2 import SagaRecord, TaskRecord
from runtime.saga.stored import described
from runtime.store.definitions import DefinitionRow
from runtime.store.port import Store
from tests.unit.gateway.desk.serving import stuck_row
from tests.unit.operate.rows import SAGA, actor, fill, mail, order, row_of, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.seen import SeenPage

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7919 * 7919 }}",
    "a b/../c?d#e&f=%2F",
    "..",
    "../../etc",
    "./x",
    "//host",
    "right\u202eleft",
    "zwj\u200dx",
    "שלום",
    "\u2028line",
    "esc\x1b[31mred",
    "nul\x00in it",
    "two\nlines\r\ttab",
    "é\u0301🙂",
    "x" * 900,
]


async def keep_definitions(store: Store) -> None:
    for one in catalogue().sagas:
        body = described(one).SerializeToString()
        await store.keep_definitions([DefinitionRow(one.name, one.fingerprint.hex(), 1.0, body)])


async def test_a_stuck_saga_says_what_is_owed_and_what_can_be_done(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, stuck_row())
        await keep_definitions(store)
    seen = SeenPage((await browser.get("/sagas/order-process/ORD-1")).text)
    assert "order-process/ORD-1 is stuck, before its pivot. It waits for an operator: it is stuck: undo" in seen.text
    assert "undo of bill at billing/ORD-1" in seen.text
    assert "amends admin repair mark-undone order-process/ORD-1 --task bill --expect" in seen.text
    assert "The point of no return is ship." in seen.text
    assert "bill stuck BillOrder done RefundOrder owed, asked" in seen.text
    assert seen.links["billing/ORD-1"] == "/actors/billing/ORD-1"


async def test_without_the_stored_definition_the_steps_are_told_and_the_pivot_is_not(
    place: PageStore, browser: Browser
) -> None:
    async with place.writing() as store:
        await fill(store, stuck_row())
    seen = SeenPage((await browser.get("/sagas/order-process/ORD-1")).text)
    assert "The store does not keep the definition of this version" in seen.text
    assert "bill stuck done owed, asked" in seen.text and "BillOrder" not in seen.text


@pytest.mark.parametrize("key", HOSTILE)
async def test_every_key_has_a_page_that_its_link_leads_to(place: PageStore, browser: Browser, key: str) -> None:
    async with place.writing() as store:
        await fill(store, saga(key, status=SAGA.STUCK, stuck_reason=key), saga("another"))
    listed = SeenPage((await browser.get("/sagas?status=stuck")).text)
    [address] = [one for words, one in listed.links.items() if one.startswith("/sagas/order-process")]
    answer = await browser.get(address)
    assert answer.status_code == 200
    seen = SeenPage(answer.text)
    assert [attrs for tag, attrs in seen.tags if tag in ("img", "script") and "src" not in attrs] == []
    assert not [attrs for tag, attrs in seen.tags if tag == "img" or any(name.startswith("on") for name in attrs)]
    assert not set("\u202e\u200d\u2028\x1b\x00\r\t") & set(answer.text), "it could turn the line around"
    assert "62710561" not in seen.text, "the key was computed"
    assert "1 saga" not in seen.text


async def test_a_script_in_every_text_of_a_saga_is_text(place: PageStore, browser: Browser) -> None:
    evil = "<script>x</script>"
    task = TaskRecord(path=evil, address=f"billing/{evil}", status=TaskRecord.OWED, stuck=True)
    task.do.error = task.undo.error = task.do.outcome = task.asks = evil
    record = SAGA(definition=evil, status=SAGA.STUCK, stuck_reason=evil, reason=evil, tasks=[task], state_type=evil)
    record.repairs.add(who=evil, text=evil, reason=evil)
    async with place.writing() as store:
        await fill(store, row_of(record), mail(7, kind="order-process", parked=evil, sender=evil))
    for address in ("/", "/sagas", "/sagas/order-process/ORD-1", f"/find?q={evil}"):
        answer = await browser.get(address)
        assert answer.status_code == 200
        scripts = [attrs for tag, attrs in SeenPage(answer.text).tags if tag == "script"]
        assert len(scripts) == 3 and all("src" in attrs for attrs in scripts), address


async def test_a_state_of_five_megabytes_is_cut_and_the_command_for_all_of_it_is_told(
    place: PageStore, browser: Browser
) -> None:
    big = OrderProcessState(order_id="A" * 5_000_000).SerializeToString()
    row = saga()
    record = SagaRecord.FromString(row.state)
    record.state = big
    async with place.writing() as store:
        await fill(store, replace(row, state=record.SerializeToString()))
    answer = await browser.get("/sagas/order-process/ORD-1")
    assert answer.status_code == 200 and len(answer.text) < 60_000
    assert "more characters are left out" in answer.text and "amends admin explain --json" in answer.text


async def test_a_saga_of_a_thousand_steps_shows_two_hundred_at_a_time(place: PageStore, browser: Browser) -> None:
    tasks = tuple(TaskRecord(path=f"step{number:04}", status=TaskRecord.DONE) for number in range(1_000))
    async with place.writing() as store:
        await fill(store, saga(tasks=tasks))
    address, found = "/sagas/order-process/ORD-1", 0
    while address:
        seen = SeenPage((await browser.get(address)).text)
        assert seen.rows == 201
        found += seen.rows - 1
        address = seen.links.get("Later steps", "")
    assert found == 1_000


async def test_an_actor_of_a_service_has_a_page_without_steps(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, actor("sales", state=order()))
    seen = SeenPage((await browser.get("/actors/sales/ORD-1")).text)
    assert "sales/ORD-1 is no saga. It waits for nothing" in seen.text
    assert '"order_id": "ORD-1"' in seen.text and "Steps" not in seen.text


async def test_a_saga_that_nothing_has_begun_says_so(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, actor("order-process", state_type="amends.SagaRecord"))
        await fill(store, mail(7, kind="order-process", parked="this build cannot begin it"))
    seen = SeenPage((await browser.get("/sagas/order-process/ORD-1")).text)
    assert "order-process/ORD-1 is a saga that has not begun. It waits for an operator: BillOrder" in seen.text
    assert "is no saga" not in seen.text and "cannot be read" not in seen.text


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/sagas/order-process/none", 404),
        ("/sagas/none/ORD-1", 404),
        ("/actors/", 404),
        ("/nothing", 404),
        ("/sagas/order-process/%FF", 400),
        ("/sagas/order-process/ORD-1?from=-1", 400),
        ("/static/none.js", 404),
        ("/static/..%2Fapp.py", 404),
        ("/static/%2E%2E/app.py", 404),
        ("/sagas/order-process/%ED%A0%80", 400),
        ("/sagas/%00/%00", 404),
        ("/find?q=%ED%A0%80", 400),
        ("/sagas?key=%00&kind=%00", 200),
    ],
)
async def test_what_is_not_there_is_said(place: PageStore, browser: Browser, address: str, status: int) -> None:
    async with place.writing() as store:
        await fill(store, saga())
    assert (await browser.get(address)).status_code == status


async def test_a_store_that_goes_away_and_comes_back(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, saga())
    assert (await browser.get("/sagas/order-process/ORD-1")).status_code == 200
    aside = place.file.rename(place.file.with_name("aside.db"))
    gone = await browser.get("/sagas/order-process/ORD-1")
    assert gone.status_code == 503 and "The store cannot be read now" in gone.text
    assert (await browser.get("/livez")).text == "ok\n"
    async with place.writing() as store:
        await fill(store, saga(status=SAGA.STUCK, stuck_reason="another store"))
    assert "another store" in (await browser.get("/sagas/order-process/ORD-1")).text
    aside.replace(place.file)
    assert "is running" in (await browser.get("/sagas/order-process/ORD-1")).text
