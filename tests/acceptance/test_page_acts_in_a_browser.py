"""Acts in a real browser, before a real node: previewed, confirmed and told; and the browser does not complain."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from actors.catalogue import catalogue
from runtime.adapters import system_ports
from runtime.config import Settings
from runtime.host import Node
from runtime.operate.dead_letters import dead_letters
from runtime.protos.saga_pb2 import SagaRecord
from tests.acceptance.browser import NO_BROWSER, complaints, until
from tests.acceptance.page_process import page_of
from tests.acceptance.test_page_in_a_browser import chromium
from tests.unit.gateway.desk.serving import SHARDS, stuck_row
from tests.unit.operate.rows import fill, id_of, mail

__all__ = ["chromium"]

pytestmark = [pytest.mark.timeout(200), NO_BROWSER]


CONFIRM = "//button[starts-with(., 'Confirm')]"


def say(chromium: webdriver.Chrome, reason: str) -> None:
    chromium.find_element(By.NAME, "reason").send_keys(reason)


def press(chromium: webdriver.Chrome, path: str) -> None:
    chromium.find_element(By.XPATH, path).click()


def repair(chromium: webdriver.Chrome, address: str) -> None:
    chromium.get(f"{address}sagas/order-process/ORD-1")
    until(chromium, "What can be done")
    chromium.find_element(By.LINK_TEXT, "mark-undone…").click()
    until(chromium, "The preview comes first")
    say(chromium, "paid back by hand")
    press(chromium, "//button[. = 'Preview']")
    until(chromium, "CancelOrder")
    until(chromium, "No undo is owed.")
    press(chromium, CONFIRM)
    until(chromium, "Done mark-undone bill, which was owed")
    until(chromium, "order-process/ORD-1 is compensating")
    chromium.refresh()
    until(chromium, "Done mark-undone bill, which was owed")


def replay_two(chromium: webdriver.Chrome, address: str) -> None:
    chromium.get(f"{address}dead-letters")
    until(chromium, "3 messages were given up.")
    chromium.find_element(By.LINK_TEXT, "billing").click()
    until(chromium, "3 dead letters")
    for box in chromium.find_elements(By.NAME, "item")[:2]:
        box.click()
    press(chromium, "//button[. = 'Replay the chosen…']")
    until(chromium, "2 messages would be let run again")
    say(chromium, "the card reader was mended")
    press(chromium, CONFIRM)
    until(chromium, "2 done, 0 refused, 0 left. It is ended.")


async def test_a_stuck_saga_is_repaired_and_dead_letters_are_replayed(
    tmp_path: Path, chromium: webdriver.Chrome
) -> None:
    url = f"sqlite:///{tmp_path}/page.db"
    settings = Settings(services=("orchestration",), store=url, listen="127.0.0.1:0", name="a", shards_per_kind=SHARDS)
    node = Node(settings, catalogue(), system_ports())
    await node.start()
    try:
        await fill(node.store, stuck_row(), *(mail(number, parked="boom") for number in (7, 8, 9)))
        async with page_of(url) as address:
            await asyncio.to_thread(repair, chromium, address)
            await asyncio.to_thread(replay_two, chromium, address)
            assert not await asyncio.to_thread(complaints, chromium)
        (row,) = await node.store.load([("order-process", "ORD-1")])
        assert row is not None
        assert [one.reason for one in SagaRecord.FromString(row.state).repairs] == ["paid back by hand"]
        assert [one.row.id for one in await dead_letters(node.store, limit=9)] == [id_of(9)]
    finally:
        await node.stop()
