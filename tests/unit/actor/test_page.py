"""The page of actors in memory names all that their door shows; tests/tidy/test_howto.py runs its examples."""

from __future__ import annotations

import re

import pytest

import runtime.actor
from tests.tidy.source import ROOT

PAGE = (ROOT / "docs" / "reference" / "actors.md").read_text("utf-8")


@pytest.mark.parametrize("part", runtime.actor.__all__)
def test_the_page_names_every_part_of_the_door(part: str) -> None:
    assert re.search(rf"`{part}[`(]", PAGE), part
