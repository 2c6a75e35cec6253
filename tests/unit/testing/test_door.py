"""What users import from runtime.testing: no more and no less than was decided, and without pytest."""

from __future__ import annotations

import subprocess
import sys

import runtime.testing
from tests.unit.testing.door import KEPT, surface

WITHOUT_PYTEST = """
import sys
for name in ("pytest", "pytest_asyncio", "hypothesis"):
    sys.modules[name] = None
from runtime.testing import *
print(SagaTranscript.__name__, simulate.__name__)
"""


def test_the_public_surface_is_the_one_that_was_decided() -> None:
    assert surface() == KEPT.read_text(encoding="utf-8"), (
        "users see this change; if it is meant, run `python -m tests.unit.testing.door` and say so in the changelog"
    )


def test_names_are_sorted_and_each_is_there() -> None:
    names = runtime.testing.__all__
    assert names == sorted(names)
    assert [name for name in names if not hasattr(runtime.testing, name)] == []


def test_the_door_opens_without_pytest() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYTEST], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.returncode) == ("SagaTranscript simulate\n", 0), done.stderr
