"""Operations over many sagas: chosen, previewed, begun, and told item by item; cancelled and resumed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from runtime.operate import repair_runs
from runtime.operate.run import KeptRun, keep
from runtime.page.run_carrier import RUNS_MAX
from runtime.protos.saga_pb2 import RepairRun, RepairSaga
from runtime.store.records import MailRow
from tests.unit.gateway.desk.serving import stuck_row
from tests.unit.operate.rows import fill, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.page.filling import sent
from tests.unit.page.seen import SeenPage

STUCK = "/repair?status=stuck"


@asynccontextmanager
async def browsing(place: PageStore) -> AsyncIterator[Browser]:
    """A page whose operations end with the test, as nobody is there to handle what they post."""
    app = place.app(acts=True)
    transport = httpx.ASGITransport(app.asgi)
    headers = {"origin": "http://127.0.0.1:7680"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7680", headers=headers) as client:
        yield client
    await app.close()


@pytest.fixture
async def orders(place: PageStore) -> PageStore:
    async with place.writing() as store:
        await fill(store, *(stuck_row(f"ORD-{number}", number) for number in range(1, 5)), saga("RUNNING"))
    return place


def items(page: httpx.Response) -> list[str]:
    tags = SeenPage(page.text).tags
    return [str(attrs["value"]) for tag, attrs in tags if tag == "input" and attrs.get("name") == "item"]


async def begun(browser: Browser, shown: httpx.Response, **said: Any) -> str:
    answer = await sent(browser, shown, "/do/sagas-run", **{"reason": "the bank was called", **said})
    assert answer.status_code == 303, SeenPage(answer.text).text
    return str(answer.headers["location"])


async def posted(place: PageStore, *keys: str) -> list[MailRow]:
    async with place.writing() as store:
        mail = [await store.waiting_for(("order-process", key), stuck_row(key).shard, limit=9) for key in keys]
    return [row for rows in mail for row in rows]


async def test_a_selection_is_previewed_begun_and_cancelled(orders: PageStore) -> None:
    async with browsing(orders) as browser:
        listed = SeenPage((await browser.get("/sagas?status=stuck")).text)
        page = await browser.get(listed.links["Repair several of them…"])
        assert len(items(page)) == 4
        shown = await sent(browser, page, "/do/sagas", act="mark-undone", task="bill", item=items(page)[:2])
        text = SeenPage(shown.text).text
        assert "mark-undone bill would be done to 2 sagas" in text and "2 would be compensating" in text
        assert "Sent would be: CancelOrder 2 times" in text and not await posted(orders, "ORD-1", "ORD-2")
        where = await begun(browser, shown, who="carla")
        seen = SeenPage((await browser.get(where)).text)
        assert "mark-undone bill of 2 sagas: 0 done, 0 refused, 2 left. It is carried on here." in seen.text
        for _ in range(100):
            if await posted(orders, "ORD-1", "ORD-2"):
                break
            await asyncio.sleep(0.02)
        ended = await sent(browser, await browser.get(where), "/do/run", do="cancel", reason="the wrong ones")
        assert ended.status_code == 303
        seen = SeenPage((await browser.get(where)).text)
        assert "It is cancelled by ann: the wrong ones." in seen.text and "Cancel the operation" not in seen.text
        told = SeenPage((await browser.get("/operations")).text)
        assert "mark-undone bill of sagas" in told.text and "carla the bank was called chosen by hand" in told.text
        assert await begun(browser, shown) == where, "the same form once more leads to the same operation"
    assert len(await posted(orders, "ORD-1", "ORD-2", "ORD-3", "ORD-4")) == 2


async def test_what_would_be_refused_is_said_before(orders: PageStore) -> None:
    async with browsing(orders) as browser:
        shown = await sent(browser, await browser.get(STUCK), "/do/sagas", act="resume", all="yes")
        text = SeenPage(shown.text).text
        assert "resume would be done to 4 sagas" in text and "Nothing would be sent." in text
        assert text.count("it is not suspended") == 4
        form = await browser.get("/repair?key=RUN")
        text = SeenPage((await sent(browser, form, "/do/sagas", act="suspend", all="yes")).text).text
        assert "which this build lacks" in text and "suspend would be done to 1 saga" in text


WRONG: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    (STUCK, {"act": "retry"}, 400, "no saga is chosen"),
    (STUCK, {"act": "shrug", "all": "yes"}, 400, "there is no act"),
    (STUCK, {"act": "retry", "item": ["nothing"]}, 400, "is no address"),
    (STUCK, {"act": "retry", "item": ["order-process/NONE"]}, 404, "there is no saga order-process/NONE"),
    (STUCK, {"act": "retry", "all": "yes", "status": "running"}, 403, "this form was not drawn so"),
    (STUCK, {"act": "retry", "all": "yes", "else": "x"}, 400, "this form has no field"),
    ("/repair", {"act": "retry", "all": "yes"}, 400, "a filter that says nothing would mean every saga"),
)


async def test_a_choice_that_says_nothing_or_was_changed_is_refused(orders: PageStore) -> None:
    async with browsing(orders) as browser:
        for address, said, status, words in WRONG:
            answer = await sent(browser, await browser.get(address), "/do/sagas", **said)
            assert answer.status_code == status and words in SeenPage(answer.text).text, (said, answer.text)
        shown = await sent(browser, await browser.get(STUCK), "/do/sagas", act="retry", all="yes")
        for change in ({"items": "1/order-process/RUNNING"}, {"act": "abandon"}, {"name": "x"}, {"task": "bill"}):
            assert (await sent(browser, shown, "/do/sagas-run", reason="x", **change)).status_code == 403
        assert (await sent(browser, shown, "/do/sagas-run", reason="")).status_code == 400
        assert (await browser.get("/repair?status=shrug")).status_code == 400
        assert (await browser.get("/operations?kind=x&name=y")).status_code == 404
        assert "Nobody has begun an operation" in (await browser.get("/operations")).text
    assert not await posted(orders, "ORD-1", "ORD-2")


async def kept(place: PageStore, *names: str) -> None:
    """Runs that another process has begun, and left."""
    async with place.writing() as store:
        row = stuck_row("ORD-1", 1)
        act = RepairSaga(act=RepairSaga.RETRY, who="bo", reason="a test")
        for name in names:
            await repair_runs.begin_with(store, name, act, [((row.kind, row.key), 1)], chosen_by="a test", now_s=1.0)


async def test_a_run_that_its_process_left_is_resumed_and_not_more_at_once_than_are_allowed(orders: PageStore) -> None:
    names = [f"run <{number}> & more" for number in range(RUNS_MAX + 1)]
    await kept(orders, *names)
    async with browsing(orders) as browser:
        pages = [httpx.QueryParams(kind=repair_runs.KIND, name=name) for name in names]
        for number, query in enumerate(pages):
            page = await browser.get(f"/operations?{query}")
            assert "It is not carried on here: resume it" in SeenPage(page.text).text
            forged = await sent(browser, page, "/do/run", do="resume", name="another")
            assert forged.status_code == 403
            answer = await sent(browser, page, "/do/run", do="resume")
            assert answer.status_code == (303 if number < RUNS_MAX else 503)
            assert number < RUNS_MAX or "operations go on here already" in answer.text
        assert "It is carried on here" in SeenPage((await browser.get(f"/operations?{pages[0]}")).text).text
        shrug = await sent(browser, await browser.get(f"/operations?{pages[0]}"), "/do/run", do="shrug")
        assert shrug.status_code == 400
        unsaid = await sent(browser, await browser.get(f"/operations?{pages[0]}"), "/do/run", do="cancel")
        assert unsaid.status_code == 400 and "say who does it, and why" in unsaid.text


async def test_a_run_of_a_thousand_items_is_shown_in_pages_and_by_outcome(place: PageStore) -> None:
    async with place.writing() as store:
        await fill(store, stuck_row())
        act = RepairSaga(act=RepairSaga.RETRY, who="bo", reason="a test")
        chosen = [((stuck_row().kind, stuck_row().key), 1)]
        run = await repair_runs.begin_with(store, "many", act, chosen, chosen_by="a test", now_s=1.0)
        many = RepairRun.FromString(run.row.state)
        for number in range(999):
            many.items.add(saga=f"order-process/{number}", handled=True, refusal="it moved" if number % 2 else "")
        await keep(store, KeptRun(run.row, many))
    async with browsing(place) as browser:
        query = httpx.QueryParams(kind=repair_runs.KIND, name="many")
        seen = SeenPage((await browser.get(f"/operations?{query}")).text)
        assert "500 done, 499 refused, 1 left" in seen.text and seen.rows == 201
        refused = SeenPage((await browser.get(seen.links["refused"])).text)
        assert refused.text.count("it moved") == 200 and "Later" in refused.links
        last = SeenPage(
            (await browser.get(SeenPage((await browser.get(refused.links["Later"])).text).links["Later"])).text
        )
        assert last.text.count("it moved") == 99
