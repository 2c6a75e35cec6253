"""Names that a project must not take: Python would find its file in place of another, or the other in its place."""

from __future__ import annotations

import keyword
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import runtime

__all__ = ["NameTaken", "check_module", "check_package", "check_path", "check_root", "is_library"]

_LIBRARY = Path(runtime.__file__).resolve().parent
_INSTALLED = ("site-packages", "dist-packages")
_NEEDED = ("runtime", "google", "grpc")  # a folder of such a name in the root breaks whatever runs there


class NameTaken(Exception):
    """A name of the project hides something, or is hidden by it; the text has the cure."""


def is_library(folder: Path) -> bool:
    """Whether this is the package `runtime` of Amends itself."""
    return folder.resolve() == _LIBRARY


def check_root(root: Path) -> None:
    """Raises NameTaken if the root of a project hides what every program of the project needs."""
    for name in _NEEDED:
        for place in (root / name, root / f"{name}.py"):
            if _hides(place):
                raise NameTaken(f"{place} hides the package {name}, which Amends needs; give it another name")


def _hides(place: Path) -> bool:
    """Whether Python or protoc finds this first. A folder without Python hides what only an import hook finds."""
    if place.name == "runtime":
        return place.is_dir() and not is_library(place)
    return place.is_file() or (place / "__init__.py").exists() or (place / "protobuf").exists()


def check_path(folder: Path, root: Path) -> None:
    """Raises NameTaken if this folder, by its path from the root, cannot be imported as a package of the project."""
    for part in folder.parts:
        check_module(part)
    if folder.parts and not is_library(root / folder.parts[0]):
        check_package(folder.parts[0])


def check_package(name: str) -> None:
    """Raises NameTaken if a project cannot have a package of this name beside all else that it imports."""
    check_module(name)
    if name in _NEEDED:
        raise NameTaken(f"a package {name!r} would hide the one that Amends needs; take another name")
    if name in sys.stdlib_module_names:
        raise NameTaken(f"a package {name!r} would hide a module of Python's own; take another name")
    if found := _installed(name):
        raise NameTaken(f"a package {name!r} would hide what is installed as {found}, or be hidden; take another name")


def check_module(name: str) -> None:
    """Raises NameTaken if no module or package can be imported by this name."""
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise NameTaken(f"{name!r} is no name for a Python module; take one like {_proposal(name)!r}")


def _installed(name: str) -> str:
    """The place of what is installed under this name; empty if nothing is."""
    spec = PathFinder.find_spec(name, [entry for entry in sys.path if Path(entry).name in _INSTALLED])
    if spec is None:
        return ""
    return spec.origin or next(iter(spec.submodule_search_locations or ()), "")


def _proposal(name: str) -> str:
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name).strip("_").lower()
    return plain if plain.isidentifier() and not keyword.iskeyword(plain) else "my_shop"
