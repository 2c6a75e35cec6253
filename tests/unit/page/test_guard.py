"""What a browser is told with every answer, and which requests are not answered."""

from __future__ import annotations

import pytest

from runtime.page.guard import CONTENT_POLICY
from tests.unit.page.conftest import Browser
from tests.unit.page.seen import SeenPage


@pytest.mark.parametrize("address", ["/", "/sagas", "/nothing", "/static/page.css", "/livez", "/sagas?status=zz"])
async def test_every_answer_keeps_the_browser_to_this_page(browser: Browser, address: str) -> None:
    headers = (await browser.get(address)).headers
    assert headers["content-security-policy"] == CONTENT_POLICY
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")


def test_the_policy_allows_no_script_or_style_within_a_page() -> None:
    assert "default-src 'self'" in CONTENT_POLICY and "unsafe" not in CONTENT_POLICY


async def test_no_page_has_a_script_or_a_style_within(browser: Browser) -> None:
    for address in ("/", "/sagas", "/find", "/nothing"):
        for tag, attributes in SeenPage((await browser.get(address)).text).tags:
            assert tag != "style" and "style" not in attributes
            assert tag != "script" or str(attributes["src"]).startswith("/static/")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7680", "127.0.0.1.evil.example", "10.0.0.1", "", "["])
async def test_a_foreign_name_is_not_answered(browser: Browser, host: str) -> None:
    answer = await browser.get("/", headers={"host": host})
    assert answer.status_code == 421 and "<html" not in answer.text


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:7680", "[::1]:7680", "[::1]", "127.9.9.9"])
async def test_a_name_of_the_loopback_is_answered(browser: Browser, host: str) -> None:
    assert (await browser.get("/livez", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_nothing_but_reading_is_offered(browser: Browser, method: str) -> None:
    own = {"origin": "http://127.0.0.1:7680"}
    assert (await browser.request(method, "/sagas/order-process/ORD-1", headers=own)).status_code == 405


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:7681"},
        {"origin": "https://127.0.0.1:7680"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://127.0.0.1:7680", "sec-fetch-site": "cross-site"},
        {"origin": "http://evil.example", "sec-fetch-site": "same-origin"},
    ],
)
async def test_a_form_of_another_page_is_refused_before_anything_reads_it(
    browser: Browser, headers: dict[str, str]
) -> None:
    answer = await browser.post("/do/act", headers=headers, data={"saga": "order-process/ORD-1"})
    assert answer.status_code == 403 and "only forms of this page" in answer.text
