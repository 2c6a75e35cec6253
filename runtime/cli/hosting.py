"""Finds what a project's nodes host, by the names that its people wrote. No name comes from data.

"shop.catalogue:catalogue" ─▶ the module is imported ─▶ the function is called ─▶ a Catalogue
"""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.host import Register
from runtime.launching import Hosting
from runtime.object_reference import call_object, find_object
from runtime.project import FILE, TABLE, read_project
from runtime.saga.catalogue import Catalogue

__all__ = ["find_hosting"]


def find_hosting(
    folder: Path, catalogue: str | None = None, *, or_else: str = "start with --catalogue MODULE:FUNCTION"
) -> Hosting:
    """The project's catalogue, or the one that is named; and the services that the project registers.

    Raises InvalidSettings, which names the cause and the cure; `or_else` is what the command line offers beside it.
    """
    project = read_project(folder)
    name = catalogue or project.catalogue
    if not name:
        raise InvalidSettings(
            f'{folder} names no catalogue to host: write catalogue = "MODULE:FUNCTION" under [{TABLE}] in its {FILE}, '
            f"or {or_else}"
        )
    return Hosting(_catalogue(name), tuple(_register(one) for one in project.register))


def _catalogue(name: str) -> Catalogue:
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


def _register(name: str) -> Register:
    found = find_object(name, "function for register")
    if not callable(found):
        raise InvalidSettings(
            f"{name} is of type {type(found).__name__}; name a function (server, client) for register"
        )
    register: Register = found
    return register
