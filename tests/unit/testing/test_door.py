"""What users import from each door: no more and no less than was decided; from runtime.testing without pytest."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from runtime.syntax import syntax_tree
from tests.unit.testing.door import DOORS, surface

WITHOUT_PYTEST = """
import sys
for name in ("pytest", "pytest_asyncio", "hypothesis"):
    sys.modules[name] = None
from runtime.testing import *
print(SagaTranscript.__name__, simulate.__name__)
"""


@pytest.mark.parametrize(("kept", "modules"), DOORS.items(), ids=[modules[0].__name__ for modules in DOORS.values()])
def test_the_public_surface_is_the_one_that_was_decided(kept: Path, modules: tuple[ModuleType, ...]) -> None:
    assert surface(modules) == kept.read_text(encoding="utf-8"), (
        "users see this change; if it is meant, run `python -m tests.unit.testing.door` and say so in the changelog"
    )


@pytest.mark.parametrize("door", [modules[0] for modules in DOORS.values()], ids=lambda door: door.__name__)
def test_names_are_sorted_and_each_is_there(door: ModuleType) -> None:
    names = door.__all__
    assert names == sorted(names)
    assert [name for name in names if not hasattr(door, name)] == []


@pytest.mark.parametrize("door", [modules[0] for modules in DOORS.values()], ids=lambda door: door.__name__)
def test_inside_a_package_nobody_comes_in_by_its_door(door: ModuleType) -> None:
    assert door.__file__ is not None
    assert [str(path) for path in Path(door.__file__).parent.rglob("*.py") if door.__name__ in _imported(path)] == []


def _imported(path: Path) -> set[str | None]:
    """The modules from which names are imported."""
    nodes = ast.walk(syntax_tree(path.read_text("utf-8")))
    return {node.module for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize(("former", "cure"), [("starts", "on(SomeEvent, begin"), ("when", "on(SomeEvent, where=")])
def test_a_name_that_has_gone_says_what_is_written_in_its_place(former: str, cure: str) -> None:
    with pytest.raises(ImportError, match=rf"there is no '{former}' any more: .* is {re.escape(cure)}"):
        getattr(importlib.import_module("runtime"), former)


def test_the_door_opens_without_pytest() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PYTEST], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.returncode) == ("SagaTranscript simulate\n", 0), done.stderr
