"""Debian's chromium, as the tests of the page drive it, and what it shows."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

__all__ = ["NO_BROWSER", "WITHIN_S", "chromium_at", "complaints", "until", "words"]

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
WITHIN_S = 30.0

NO_BROWSER = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="there is no chromium with its chromedriver here")


@contextmanager
def chromium_at(folder: Path) -> Iterator[webdriver.Chrome]:
    """A browser whose profile lies in this folder."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for one in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", f"user-data-dir={folder}"):
        options.add_argument(f"--{one}")
    driver = webdriver.Chrome(options, Service(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


def words(chromium: webdriver.Chrome) -> str:
    return str(chromium.execute_script("return document.body.innerText"))


def until(chromium: webdriver.Chrome, text: str) -> None:
    """Waits until the page says so."""
    WebDriverWait(chromium, WITHIN_S).until(lambda driver: text in words(driver), f"{text!r} is not said")


def complaints(chromium: webdriver.Chrome) -> list[str]:
    """What the browser has said on its console since it was last asked: reports of the content policy among it."""
    entries = chromium.get_log("browser")  # type: ignore[no-untyped-call]
    return [json.dumps(one) for one in entries if one["level"] in ("WARNING", "SEVERE")]
