"""The runtime knows no order: its examples, texts and errors speak of a trip, as examples/trip does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tidy.source import name, texts

ORDER = re.compile(
    r"Order(Process|Placed|Billed|Closed|Choreography)|(Bill|Place|Close)Order|ORD-|order[-_](process|choreography)"
    r"|\bactors[./](sales|billing|warehouse|orchestration|choreography|catalogue|client)|[\"']orders[.\"']"
)


@pytest.mark.parametrize("path", [path for path in texts() if name(path).startswith("runtime/")], ids=name)
def test_nothing_under_runtime_names_an_order(path: Path) -> None:
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    found = [f"line {number}: {line.strip()}" for number, line in lines if ORDER.search(line)]
    assert not found, f"{name(path)} names an order:\n" + "\n".join(found)
