"""The wheel of this checkout, and environments that have nothing of the checkout but that wheel."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tidy.source import ROOT

__all__ = ["build_wheel"]

_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
_SETUPTOOLS_MIN = 77  # as [build-system] asks


def build_wheel(folder: Path) -> Path:
    """Build it from a copy, so that nothing is written to the checkout."""
    copy = folder / "source"
    shutil.copytree(ROOT / "runtime", copy / "runtime", ignore=shutil.ignore_patterns("__pycache__"))
    for file in _SOURCES:
        shutil.copy(ROOT / file, copy / file)
    options = ["--no-build-isolation"] if _setuptools_is_new_enough() else []
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", *options, "--wheel-dir", str(folder), str(copy))
    (wheel,) = folder.glob("*.whl")
    return wheel


def run(*command: str, cwd: Path | None = None, timeout_s: float = 300.0) -> str:
    """What a command prints. Fails the test with all of it if the command ends with anything but 0."""
    finished = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout_s)
    output = finished.stdout + finished.stderr
    assert finished.returncode == 0, f"{' '.join(command)} ended with {finished.returncode}:\n{output}"
    return output


def _setuptools_is_new_enough() -> bool:
    try:
        return int(importlib.metadata.version("setuptools").partition(".")[0]) >= _SETUPTOOLS_MIN
    except importlib.metadata.PackageNotFoundError:
        return False
