"""Finds what a project's nodes host, by the names that its people wrote. No name comes from data.

"shop.catalogue:catalogue" ─▶ the module is imported ─▶ the function is called ─▶ a Catalogue
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from runtime.cli.project import FILE, TABLE, read_project
from runtime.errors import InvalidDefinition, InvalidSettings
from runtime.failures import stack_of, text_of
from runtime.host import Register
from runtime.launching import Hosting
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
    found = _named(name, "catalogue")
    if isinstance(found, Catalogue):
        return found
    if not callable(found):
        raise InvalidSettings(
            f"{name} is of type {type(found).__name__}; name a Catalogue, or a function that gives one"
        )
    try:
        made = found()
    except InvalidDefinition as error:
        raise InvalidSettings(f"the catalogue {name} does not fit together: {error}") from error
    except (Exception, SystemExit) as error:  # the function is the user's, and may raise anything
        raise InvalidSettings(f"{name}() raised {text_of(error)}{stack_of(error, without=(__file__,))}") from error
    if not isinstance(made, Catalogue):
        raise InvalidSettings(f"{name}() gives a {type(made).__name__}; name a function that gives a Catalogue")
    return made


def _register(name: str) -> Register:
    found = _named(name, "function for register")
    if not callable(found):
        raise InvalidSettings(
            f"{name} is of type {type(found).__name__}; name a function (server, client) for register"
        )
    register: Register = found
    return register


def _named(name: str, what: str) -> Any:
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise InvalidSettings(f"{name!r} names no {what}: write MODULE:NAME, as in shop.catalogue:catalogue")
    try:
        module = importlib.import_module(module_name)
    except InvalidDefinition as error:
        raise InvalidSettings(f"{module_name} defines something that cannot work: {error}") from error
    except (Exception, SystemExit) as error:  # the module is the user's, and runs when it is imported
        where = stack_of(error, without=(__file__, importlib.__file__))
        raise InvalidSettings(
            f"the module {module_name} cannot be imported: {text_of(error)}{where}; modules are looked for in the "
            "current folder and among what is installed"
        ) from error
    found = getattr(module, attribute, None)
    if found is None:
        known = ", ".join(getattr(module, "__all__", ()))
        raise InvalidSettings(f"{module_name} has no {attribute!r}" + (f"; it has {known}" if known else ""))
    return found
