"""A list of names as a user gave it. Python takes one text for a list of its letters; here it is refused."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.errors import InvalidSettings

__all__ = ["name_list"]


def name_list(given: Iterable[str], what: str) -> tuple[str, ...]:
    """The names that were given. Raises InvalidSettings for a single text; `what` says which argument it is."""
    if isinstance(given, str):
        raise InvalidSettings(f"{what} has to be a list, as in [{given!r}], not one text")
    return tuple(given)
