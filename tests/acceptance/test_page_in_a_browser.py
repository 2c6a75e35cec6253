"""The page in a real browser: it follows the store by itself, and the browser has nothing to complain of."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from runtime.adapters import system_ports
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.summary import summary_of
from runtime.store.open import open_store
from runtime.store.records import ActorRow, Expected, Transition
from tests.acceptance.browser import NO_BROWSER, WITHIN_S, chromium_at, complaints, until
from tests.acceptance.page_process import page_of
from tests.unit.gateway.desk.serving import stuck_row
from tests.unit.operate.rows import TALK, fill, history, id_of, saga

pytestmark = [pytest.mark.timeout(200), NO_BROWSER]


@pytest.fixture
def chromium(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    with chromium_at(tmp_path / "profile") as driver:
        yield driver


def completed(row: ActorRow) -> ActorRow:
    """The same order, once it has ended."""
    record = SagaRecord.FromString(row.state)
    record.status = SagaRecord.COMPENSATED
    state = record.SerializeToString()
    return replace(row, revision=row.revision + 1, last_id=id_of(77), state=state, summary=summary_of(record, None))


def tell_the_time(chromium: webdriver.Chrome, address: str) -> None:
    """Ages are counted on although nothing changes, and times are local once somebody wants that, on each screen."""
    chromium.get(f"{address}sagas?key=NEW")
    age = chromium.find_element(By.CSS_SELECTOR, "time[data-age]")
    first = age.text
    WebDriverWait(chromium, WITHIN_S).until(lambda _: age.text != first, "the age stands still")
    until(chromium, "Times are in UTC.")
    chromium.find_element(By.ID, "switch-times").click()
    until(chromium, "Times are those of this browser.")
    chromium.get(f"{address}sagas/order-process/ORD-1")
    asked = chromium.find_element(By.CSS_SELECTOR, "time[data-at]")
    WebDriverWait(chromium, WITHIN_S).until(lambda _: re.search(r" [+-]\d\d:\d\d$", asked.text), "no local time")
    chromium.find_element(By.ID, "switch-times").click()
    WebDriverWait(chromium, WITHIN_S).until(lambda _: asked.text.endswith(" UTC"), "no UTC")
    until(chromium, "It changes as the store changes.")


def look_at_what_is_drawn(chromium: webdriver.Chrome, address: str) -> None:
    """Pictures stand in the page, and nothing of a screen is wider than a narrow window, but for what scrolls alone."""
    chromium.set_window_size(400, 800)
    for path, said in (
        ("flows", "What the checker finds"),
        ("cluster", "No node has joined."),
        (f"conversations/{TALK.hex()}?view=lifelines", "1 message"),
        ("history/order-process/ORD-1", "States are told so far"),
    ):
        chromium.get(f"{address}{path}")
        until(chromium, said)
        wide, window = chromium.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
        assert wide <= window, path
        pictures = chromium.find_elements(By.CSS_SELECTOR, "main svg text")
        assert bool(pictures) is (path.startswith(("flows", "conversations"))), path
    chromium.set_window_size(1200, 900)


async def test_the_page_follows_the_store_without_a_complaint_of_the_browser(
    tmp_path: Path, chromium: webdriver.Chrome
) -> None:
    url = f"sqlite:///{tmp_path}/page.db"
    store, row = open_store(url, system_ports()), stuck_row()
    await store.open()
    await fill(store, row, *(saga(f"S{number:03}") for number in range(150)))
    await fill(store, history(1))
    await fill(store, saga("NEW", progress_at_s=await store.now_s() - 3, status=SagaRecord.COMPENSATING))
    async with page_of(url) as address:

        def look_around() -> None:
            chromium.get(address)
            until(chromium, "1 saga is stuck")
            until(chromium, "It changes as the store changes.")
            chromium.find_element(By.PARTIAL_LINK_TEXT, "Going forward").click()
            until(chromium, "100 sagas on this page")
            chromium.find_element(By.LINK_TEXT, "Next page").click()
            until(chromium, "50 sagas on this page")
            assert "status=running" in chromium.current_url
            chromium.back()
            until(chromium, "100 sagas on this page")
            chromium.find_element(By.TAG_NAME, "body").send_keys("/")
            chromium.switch_to.active_element.send_keys("ORD-1", Keys.ENTER)
            until(chromium, "order-process/ORD-1 is stuck, before its pivot")
            until(chromium, "It changes as the store changes.")

        await asyncio.to_thread(look_around)
        await asyncio.to_thread(tell_the_time, chromium, address)
        await asyncio.to_thread(look_at_what_is_drawn, chromium, address)
        await asyncio.to_thread(chromium.get, f"{address}sagas/order-process/ORD-1")
        await asyncio.to_thread(until, chromium, "It changes as the store changes.")
        await store.commit([Transition(actor=completed(row), expected=Expected(row.revision, row.last_id))])
        await asyncio.to_thread(until, chromium, "order-process/ORD-1 is compensated")
        assert not await asyncio.to_thread(complaints, chromium)
    await asyncio.to_thread(until, chromium, "The process that serves this page does not answer")
    await store.close()
