"""The pictures of the operator's page in the documents show the page as it is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.acceptance.browser import NO_BROWSER, chromium_at
from tests.acceptance.pictures import PICTURES, SHOWN, of_each, shop_with_a_closed_bank


def test_there_is_a_picture_of_each_screen_that_is_described() -> None:
    assert {one.stem for one in PICTURES.glob("*.png")} == set(json.loads(SHOWN.read_text("utf-8")))


@NO_BROWSER
@pytest.mark.timeout(200)
async def test_what_a_picture_shows_the_page_shows_still(tmp_path: Path) -> None:
    with chromium_at(tmp_path / "profile") as browser:
        async with shop_with_a_closed_bank(tmp_path) as address:
            shown = await asyncio.to_thread(of_each, browser, address)
    assert shown == json.loads(SHOWN.read_text("utf-8")), "take the pictures anew: make pictures"
