"""Everybody can use the page: whoever reads it by ear or by keyboard, in the dark, or on a narrow screen.

axe-core looks at each screen in a real browser, as it looks at pages of the web. Contrasts are held by a test without a
browser as well, `tests/unit/page/test_contrast.py`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.selenium import Axe
from selenium import webdriver
from selenium.webdriver.common.by import By

from runtime.adapters import system_ports
from runtime.operate.proofs.kept import add_proofs
from runtime.operate.repair_runs import begin_with
from runtime.protos.saga_pb2 import RepairSaga
from runtime.store.open import open_store
from tests.acceptance.browser import NO_BROWSER, until
from tests.acceptance.page_process import page_of
from tests.acceptance.shop import ROOT
from tests.acceptance.test_page_acts_in_a_browser import press, say
from tests.acceptance.test_page_in_a_browser import chromium
from tests.unit.gateway.desk.serving import stuck_row
from tests.unit.operate.proofs import VERSION, broken, proof, simulated
from tests.unit.operate.rows import fill, history, join, mail, saga

__all__ = ["chromium"]

pytestmark = [pytest.mark.timeout(200), NO_BROWSER]

NARROW = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": False}
CONVERSATION = f"conversations/{history(1).conversation.hex()}"
BROKEN = broken(
    broke="I5: a charge is left behind", shown_by="the client cancels the order, and nobody undoes it\n" * 9
)
SCREENS: Mapping[str, tuple[str, ...]] = {
    "/": ("",),
    "/sagas": ("sagas", "sagas?status=stuck", "sagas?kind=nobody"),
    "/sagas/KIND/KEY": ("sagas/order-process/ORD-1",),
    "/actors/KIND/KEY": ("actors/sales/ORD-1",),
    "/conversations/ID": (CONVERSATION, f"{CONVERSATION}?view=lifelines"),
    "/history/KIND/KEY": ("history/order-process/ORD-1",),
    "/flows": ("flows",),
    "/cluster": ("cluster",),
    "/proof": ("proof", f"proof?version={VERSION}"),
    "/act": ("act?saga=order-process/ORD-1&act=retry&expect=21&edit=yes",),
    "/dead-letters": ("dead-letters", "dead-letters?kind=billing"),
    "/operations": ("operations", "operations?kind=repair-run&name=retries"),
    "/operations?acts=yes": ("operations?acts=yes",),
    "/repair": ("repair?status=stuck",),
    "/find?q=TEXT": ("find", "find?q=S0", "nothing/here"),
}
"""By the address as the page on the operator's page has it, those at which a browser looks."""

Preview = Callable[[webdriver.Chrome, str], None]


def an_act(chromium: webdriver.Chrome, address: str) -> None:
    chromium.get(f"{address}sagas/order-process/ORD-1")
    chromium.find_element(By.LINK_TEXT, "mark-undone…").click()
    until(chromium, "The preview comes first")
    say(chromium, "paid back by hand")
    press(chromium, "//button[. = 'Preview']")
    until(chromium, "No undo is owed.")


def a_replay(chromium: webdriver.Chrome, address: str) -> None:
    chromium.get(f"{address}dead-letters?kind=billing")
    press(chromium, "//button[. = 'Replay all that fit…']")
    until(chromium, "would be let run again")


def a_repair_of_many(chromium: webdriver.Chrome, address: str) -> None:
    chromium.get(f"{address}repair?status=stuck")
    press(chromium, "//button[. = 'Preview for all that fit']")
    until(chromium, "These sagas")


PREVIEWS: tuple[Preview, ...] = (an_act, a_replay, a_repair_of_many)
"""What a form is answered by before it does anything; no address leads there."""

_OVERFLOWS = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_each_screen_that_is_documented_is_looked_at() -> None:
    page = (ROOT / "docs" / "reference" / "page.md").read_text("utf-8")
    table = page.partition("## Screens")[2].partition("\n\n-")[0]
    told = set(re.findall(r"^\| `(/[^`]*)` \|", table, re.MULTILINE))
    assert told - {"/livez", "/metrics", "/conversations/ID/FORM"} == set(SCREENS)


async def test_no_screen_keeps_anybody_out_in_any_colours_or_width(tmp_path: Path, chromium: webdriver.Chrome) -> None:
    url = f"sqlite:///{tmp_path}/page.db"
    store = open_store(url, system_ports())
    await store.open()
    await join(store, "sales-1", kinds=("sales",), carries=("order-process/v1",))
    await fill(store, stuck_row(), *(saga(f"S{number:03}") for number in range(105)))
    await fill(store, *(history(number) for number in range(1, 9)), mail(20, parked="no such sku"))
    await add_proofs(store, [BROKEN, proof(simulated(), short_of="a calm run has no faults"), proof(version="ab" * 16)])
    act = RepairSaga(act=RepairSaga.RETRY, who="ann", reason="mended")
    await begin_with(store, "retries", act, [(stuck_row().address, 1)], chosen_by="a test", now_s=1.0)
    async with page_of(url) as address:
        await asyncio.to_thread(look_at_previews, chromium, address)
        await asyncio.to_thread(look_at_all, chromium, address)
    await store.close()


def look_at_all(chromium: webdriver.Chrome, address: str) -> None:
    for place in (place for places in SCREENS.values() for place in places):
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        for scheme in ("light", "dark"):
            prefers = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", prefers)
            chromium.get(address + place)
            assert not violations(chromium), f"/{place}, {scheme}: {violations(chromium)}"
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", NARROW)
        chromium.get(address + place)
        assert chromium.execute_script(_OVERFLOWS) == 0, f"/{place} is wider than a screen of 360 pixels"
    chromium.execute_script("document.body.append(document.createElement('input'))")
    assert any(one.startswith("label") for one in violations(chromium)), "a box without a name is told"


def look_at_previews(chromium: webdriver.Chrome, address: str) -> None:
    """As they stand: a preview that is loaded anew is sent anew."""
    for preview in PREVIEWS:
        chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        preview(chromium, address)
        for scheme in ("light", "dark"):
            prefers = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
            chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", prefers)
            assert not violations(chromium), f"the preview of {preview.__name__}, {scheme}: {violations(chromium)}"
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", NARROW)
        assert chromium.execute_script(_OVERFLOWS) == 0, f"the preview of {preview.__name__} is wider than 360 pixels"


def violations(chromium: webdriver.Chrome) -> list[str]:
    found: Mapping[str, Any] = Axe().run(chromium)
    assert found["passes"], "axe-core has looked at nothing"
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found["violations"]]
