"""`/metrics` of the page: what the store has, in numbers, while no node runs."""

from __future__ import annotations

import re
import sys

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from runtime.saga.view import Phase
from tests.tidy.source import ROOT
from tests.unit.operate.rows import SAGA, fill, saga
from tests.unit.page.conftest import Browser, PageStore
from tests.unit.saga.records import task_in


async def test_the_page_tells_the_metrics_of_the_store_and_no_others(place: PageStore, browser: Browser) -> None:
    async with place.writing() as store:
        await fill(store, saga("A", status=SAGA.STUCK, tasks=(task_in(Phase.OWED, "bill"),)))
    answer = await browser.get("/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    [owed] = families["amends_undos_owed"].samples
    assert (owed.labels, owed.value) == ({"kind": "order-process"}, 1.0)
    page = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8").partition("## Metrics of the store")[2]
    shown = set(re.findall(r"^# TYPE (\w+) \w+$", answer.text, re.MULTILINE))
    assert shown == set(re.findall(r"^\| `(amends_\w+)`", page, re.MULTILINE))


async def test_a_store_that_cannot_be_read_is_told_as_a_failed_reading(place: PageStore, browser: Browser) -> None:
    place.file.unlink()
    answer = await browser.get("/metrics")
    assert answer.status_code == 200 and "amends_store_reads_failed_total 1.0" in answer.text
    assert "amends_undos_owed{" not in answer.text


async def test_a_page_without_the_extra_says_which(place: PageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.startswith("runtime.gateway.monitor.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    transport = httpx.ASGITransport(place.app().asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7680") as client:
        answer = await client.get("/metrics")
        assert answer.status_code == 404 and "pip install 'amends[metrics]'" in answer.text
        assert (await client.get("/")).status_code == 200
