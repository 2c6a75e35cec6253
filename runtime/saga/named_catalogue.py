"""A catalogue by the name that a project's people wrote. No name comes from data.

"shop.catalogue:catalogue" ─▶ the module is imported ─▶ the function is called ─▶ a Catalogue
"""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.object_reference import call_object, find_object
from runtime.project import FILE, TABLE, read_project
from runtime.saga.catalogue import Catalogue

__all__ = ["find_catalogue"]


def find_catalogue(folder: Path, name: str | None = None, *, or_else: str) -> Catalogue:
    """The one that is named, or else that of the project in the folder.

    Raises InvalidSettings, which names the cause and the cure; `or_else` is what the command line offers beside it.
    """
    name = name or read_project(folder).catalogue
    if not name:
        raise InvalidSettings(
            f'{folder} names no catalogue to host: write catalogue = "MODULE:FUNCTION" under [{TABLE}] in its {FILE}, '
            f"or {or_else}"
        )
    found = find_object(name, "catalogue")
    if isinstance(found, Catalogue):
        return found
    if not callable(found):
        raise InvalidSettings(
            f"{name} is of type {type(found).__name__}; name a Catalogue, or a function that gives one"
        )
    made = call_object(found, name, "catalogue")
    if not isinstance(made, Catalogue):
        raise InvalidSettings(f"{name}() gives a {type(made).__name__}; name a function that gives a Catalogue")
    return made
