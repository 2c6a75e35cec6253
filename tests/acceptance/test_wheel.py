"""What is installed by `pip install amends`: the library alone, whole, under its license."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from tests.acceptance.installed import build_wheel
from tests.tidy.source import ROOT


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    """Of the files in the wheel."""
    with zipfile.ZipFile(build_wheel(tmp_path_factory.mktemp("wheel"))) as wheel:
        return frozenset(wheel.namelist())


def test_the_wheel_ships_the_library_and_nothing_of_the_application(names: frozenset[str]) -> None:
    assert {Path(name).parts[0] for name in names if ".dist-info/" not in name} == {"runtime"}


def test_the_wheel_has_every_file_of_the_library(names: frozenset[str]) -> None:
    files = {path for path in (ROOT / "runtime").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    missing = {path.relative_to(ROOT).as_posix() for path in files} - names
    assert not missing, f"[tool.setuptools.package-data] leaves out {', '.join(sorted(missing))}"


def test_the_wheel_has_its_license(names: frozenset[str]) -> None:
    texts = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    assert texts == {"LICENSE", "NOTICE"}
