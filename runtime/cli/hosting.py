"""Finds what a project's nodes host, by the names that its people wrote. No name comes from data.

"shop.catalogue:catalogue" ─▶ the module is imported ─▶ the function is called ─▶ a Catalogue
"""

from __future__ import annotations

from pathlib import Path

from runtime.errors import InvalidSettings
from runtime.host import Register
from runtime.launching import Hosting
from runtime.object_reference import find_object
from runtime.project import read_project
from runtime.saga.named_catalogue import find_catalogue

__all__ = ["find_hosting"]


def find_hosting(
    folder: Path, catalogue: str | None = None, *, or_else: str = "start with --catalogue MODULE:FUNCTION"
) -> Hosting:
    """The project's catalogue, or the one that is named; and the services that the project registers.

    Raises InvalidSettings, which names the cause and the cure; `or_else` is what the command line offers beside it.
    """
    found = find_catalogue(folder, catalogue, or_else=or_else)
    return Hosting(found, tuple(_register(one) for one in read_project(folder).register))


def _register(name: str) -> Register:
    found = find_object(name, "function for register")
    if not callable(found):
        raise InvalidSettings(
            f"{name} is of type {type(found).__name__}; name a function (server, client) for register"
        )
    register: Register = found
    return register
