"""The reference pages are complete: they name every part of what they are about, as the code has it now."""

from __future__ import annotations

import re

import pytest

from runtime import Budget, RetryPolicy
from runtime.config import SETTINGS
from tests.tidy.source import ROOT

REFERENCE = ROOT / "docs" / "reference"
PARTS = {
    "settings.md": list(SETTINGS),
    "retries.md": [
        name for one in (RetryPolicy, Budget) for name in (*one.__dataclass_fields__, *vars(one)) if name[0] != "_"
    ],
}


@pytest.mark.parametrize(
    ("page", "part"), [(page, part) for page, parts in PARTS.items() for part in dict.fromkeys(parts)]
)
def test_a_reference_page_names_every_part(page: str, part: str) -> None:
    assert re.search(rf"\b{re.escape(part)}\b", (REFERENCE / page).read_text("utf-8"))


@pytest.mark.parametrize("page", PARTS)
def test_a_reference_page_shows_an_example_that_runs(page: str) -> None:
    """test_howto.py runs it."""
    assert "```python\n" in (REFERENCE / page).read_text("utf-8")
