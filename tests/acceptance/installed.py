"""The wheel of this checkout, and environments that have nothing of the checkout but that wheel."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from tests.tidy.source import ROOT

__all__ = ["build_wheel", "install", "run"]

_SOURCES = ("pyproject.toml", "README.md", "LICENSE", "NOTICE")
_EXTRAS = "cli,fast,protos,testing"
_INSTALL_S = 240.0
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


def install(wheel: Path, folder: Path) -> Path:
    """A fresh environment with the wheel; the folder of its programs.

    What the wheel needs comes from the index, in the versions of this checkout. Where no index can be reached, the
    packages of this process stand in for it, but for the checkout itself: a path in a .pth is no site folder, so the
    editable installation that lies there is not followed.
    """
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    pip = (str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-compile")
    wanted = (*("-c", str(ROOT / "constraints.txt")), f"{wheel}[{_EXTRAS}]", "types-protobuf")
    try:
        run(*pip, *wanted, timeout_s=_INSTALL_S)
    except (AssertionError, subprocess.TimeoutExpired):
        run(*pip, "--no-index", "--no-deps", str(wheel))
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "stand-in.pth").write_text(f"{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return programs


def run(*command: str, cwd: Path | None = None, programs: Path | None = None, timeout_s: float = 300.0) -> str:
    """What a command prints, without the checkout in sight. Fails the test with all of it if the command failed.

    The folder of `programs` is searched first, as in an environment that is activated.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if programs is not None:
        environment["PATH"] = f"{programs}:{environment['PATH']}"
    finished = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=timeout_s
    )
    output = finished.stdout + finished.stderr
    assert finished.returncode == 0, f"{' '.join(command)} ended with {finished.returncode}:\n{output}"
    return output


def _setuptools_is_new_enough() -> bool:
    try:
        return int(importlib.metadata.version("setuptools").partition(".")[0]) >= _SETUPTOOLS_MIN
    except importlib.metadata.PackageNotFoundError:
        return False
