"""Each numbered behaviour is broken once by a planted bug, and its test sees that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.proof.mutants.claims import BUGS
from tests.tidy.scenarios import UNBROKEN, scenarios
from tests.tidy.source import ROOT

_PAIR = """
import pytest
from protos.sales_pb2 import PlaceOrder
from runtime.contracts import contract_of

@pytest.mark.broken_by("zero-is-no-key")
@pytest.mark.parametrize("number", [1, 2])
def test_pair(number):
    assert {sees}
"""
SEES = "contract_of(PlaceOrder).key(PlaceOrder(order_id='0'))"


def claims(*tests: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.proof", "claims", *tests]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_every_behaviour_has_a_bug_that_breaks_it_or_a_reason_why_not() -> None:
    found = scenarios()
    unbroken = {one.number for one in found} - {one.number for one in found if one.bug}
    assert unbroken == set(UNBROKEN)
    assert {one.bug for one in found if one.bug} <= BUGS.keys()


def test_a_test_that_passes_with_its_bug_is_named_and_one_that_fails_is_not(tmp_path: Path) -> None:
    for name, sees in (("seen", f"number == 1 or {SEES}"), ("blind", "number")):
        (tmp_path / f"test_{name}.py").write_text(_PAIR.format(sees=sees))
    seen, blind = (claims(str(tmp_path / f"test_{name}.py")) for name in ("seen", "blind"))
    assert (seen.returncode, blind.returncode) == (0, 1), seen.stdout + blind.stdout
    assert "1 of 1 tests fail with their bugs" in seen.stdout
    assert "test_blind.py::test_pair: it passes with its bug" in blind.stdout


def test_the_tests_of_single_sagas_and_turns_see_their_bugs() -> None:
    """Those of clusters run with `python -m tests.proof claims`."""
    done = claims("tests/unit/saga", "tests/unit/durable")
    assert done.returncode == 0, done.stdout
