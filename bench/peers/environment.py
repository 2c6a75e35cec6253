"""What the other systems need, installed beside the project and never into it: packages of pinned versions.

    .peers/restate/venv      the SDK and what it needs, by bench/peers/pins/restate.txt
    .peers/restate/server    the server, by bench/peers/pins/restate-server.json

The folder is in the checkout and git ignores it. What is there is used again until its pins change.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["PINS", "ROOT", "PeerMissing", "pinned", "python_of", "restate_server", "temporal_server"]

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).with_name("pins")
_CACHE = ROOT / ".peers"
_INSTALL_S = 900.0


class PeerMissing(Exception):
    """A system cannot be run here. The text says what is missing, and how to get it."""


def python_of(system: str) -> Path:
    """The Python that has the SDK of this system. Raises PeerMissing."""
    return _environment(_CACHE / system / "venv", PINS / f"{system}.txt") / "bin" / "python"


def temporal_server(given: str) -> Path:
    """The program `temporal`, as given or installed. Raises PeerMissing."""
    if given:
        return _program(given)
    return _environment(_CACHE / "temporal" / "server", PINS / "temporal-server.txt") / "bin" / "temporal"


def restate_server(given: str) -> Path:
    """The program `restate-server`, as given or installed. Raises PeerMissing."""
    if given:
        return _program(given)
    folder, pins = _CACHE / "restate" / "server", PINS / "restate-server.json"
    if not _is_installed(folder, pins):
        if shutil.which("npm") is None:
            raise PeerMissing("Restate's server is installed by npm, which is not here: install npm, or give --server")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        shutil.copy(pins, folder / "package.json")
        # A script of a dependency would report the installation to its makers.
        _run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(folder)])
        _note(folder, pins)
    found = sorted(folder.glob("node_modules/@restatedev/restate-server-*/bin/restate-server"))
    if not found:
        raise PeerMissing("Restate's package has no server for this kind of machine: give one by --server")
    return found[0]


def pinned(file: str) -> dict[str, str]:
    """Versions by package, as a file of pins says."""
    lines = (PINS / file).read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("==") for line in lines if line)
    return {package: version for package, _, version in pairs}


def _program(given: str) -> Path:
    found = shutil.which(given)
    if found is None:
        raise PeerMissing(f"--server {given} is no program that can be run")
    return Path(found).resolve()


def _environment(folder: Path, pins: Path) -> Path:
    """A virtual environment with these packages and no others."""
    if not _is_installed(folder, pins):
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--no-deps", "--only-binary", ":all:", "-r", str(pins)])
        _note(folder, pins)
    return folder


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise PeerMissing(f"{' '.join(command)} was not done in {_INSTALL_S:g} s: try again") from error
    if done.returncode:
        raise PeerMissing(f"{' '.join(command)} failed, so this system cannot be run here:\n{done.stderr[-2000:]}")


def _is_installed(folder: Path, pins: Path) -> bool:
    note = folder / "installed"
    return note.is_file() and note.read_text(encoding="utf-8") == _digest(pins)


def _note(folder: Path, pins: Path) -> None:
    (folder / "installed").write_text(_digest(pins), encoding="utf-8")


def _digest(pins: Path) -> str:
    return hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
