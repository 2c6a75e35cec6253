"""Files of others stand here unchanged, with their version and license, and they are small."""

from __future__ import annotations

import hashlib
import re

from runtime.page.app import STATIC
from tests.unit.page.conftest import Browser

OURS = {"VENDOR.txt", "icon.svg", "page.css", "page.js"}
ASSETS_BYTES_MAX = 200_000
_ROW = re.compile(r"^(\S+\.js) +(\S+) +(\d+\.\d+\.\d+) +(\S+) +([0-9a-f]{64})$", re.MULTILINE)


def test_every_file_of_others_is_the_one_that_is_named() -> None:
    told = {file: digest for file, _, _, _, digest in _ROW.findall((STATIC / "VENDOR.txt").read_text("utf-8"))}
    assert told == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in STATIC.iterdir() if path.name not in OURS
    }
    assert told


def test_the_license_of_each_package_is_there() -> None:
    text = (STATIC / "VENDOR.txt").read_text("utf-8")
    for package in {package for _, package, *_ in _ROW.findall(text)}:
        assert f"The license of {package}" in text


def test_a_browser_loads_little() -> None:
    assert sum(path.stat().st_size for path in STATIC.iterdir()) < ASSETS_BYTES_MAX


async def test_every_file_is_served(browser: Browser) -> None:
    for path in STATIC.iterdir():
        answer = await browser.get(f"/static/{path.name}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes())


def test_the_parts_of_the_vendored_script_are_read_before_the_page_is_processed() -> None:
    """Between two deferred scripts there may be a pause, in which htmx would go over the page without its extension."""
    page = (STATIC.parent / "templates" / "page.html").read_text("utf-8")
    assert '<script src="/static/htmx.min.js"></script>\n<script src="/static/hx-sse.min.js"></script>\n' in page
