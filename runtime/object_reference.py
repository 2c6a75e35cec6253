"""The object that a reference like "shop.catalogue:catalogue" names. A person wrote it; it never comes from data.

    "shop.catalogue:catalogue" ─▶ find_object: the module is imported ─▶ call_object: the function is called

The code that is imported and called is the user's: it may raise anything, and then the error tells what it raised.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from runtime.errors import InvalidDefinition, InvalidSettings
from runtime.failures import stack_of, text_of

__all__ = ["call_object", "find_object"]


def find_object(name: str, what: str, *, example: str = "shop.catalogue:catalogue") -> Any:
    """The attribute that MODULE:NAME names. Raises InvalidSettings, which says what the module has instead."""
    module_name, _, attribute = name.partition(":")
    if not module_name or not attribute:
        raise InvalidSettings(f"{name!r} names no {what}: write MODULE:NAME, as in {example}")
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
        raise InvalidSettings(f"{module_name} has no {what} {attribute!r}" + (f"; it has {known}" if known else ""))
    return found


def call_object(make: Callable[[], Any], name: str, what: str) -> Any:
    """What the function of this name gives. Raises InvalidSettings with what the function raises."""
    try:
        return make()
    except InvalidDefinition as error:
        raise InvalidSettings(f"the {what} {name} does not fit together: {error}") from error
    except (Exception, SystemExit) as error:  # the function is the user's, and may raise anything
        raise InvalidSettings(f"{name}() raised {text_of(error)}{stack_of(error, without=(__file__,))}") from error
