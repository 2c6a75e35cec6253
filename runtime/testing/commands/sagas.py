"""The sagas that a command line names: one by one, by their catalogue, or all of the project's.

MODULE:SAGA        that class                     none    every saga of the catalogue that pyproject.toml names
MODULE:CATALOGUE   every saga that it hosts
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from runtime.errors import InvalidSettings
from runtime.saga.catalogue import Catalogue
from runtime.saga.named_catalogue import find_catalogue
from runtime.saga.saga import Saga
from runtime.testing.commands.loading import find

__all__ = ["HINT", "sagas_named", "wrong"]

HINT = "MODULE:SAGA"


def sagas_named(names: Sequence[str]) -> list[type[Saga[Any]]]:
    """At least one saga, each once. Raises BadParameter, or UsageError without a name, with the cause and the cure."""
    if names:
        return list(dict.fromkeys(saga for name in names for saga in _named(name)))
    try:
        catalogue = find_catalogue(Path.cwd(), or_else=f"name sagas as {HINT}")
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from error
    sagas = [*_hosted(catalogue)]
    if not sagas:
        raise click.UsageError(f"the project's catalogue hosts no saga; name one as {HINT}")
    return sagas


def _named(name: str) -> list[type[Saga[Any]]]:
    found = find(name, "saga", HINT, example="examples.trip.saga:BookTrip")
    if isinstance(found, type) and issubclass(found, Saga) and found is not Saga:
        return [found]
    if name.rpartition(":")[2] == "catalogue" or isinstance(found, Catalogue):
        return _of_catalogue(name)
    raise wrong(f"{name} is no saga: it is {_described(found)}; name a class that derives from Saga, or a catalogue")


def _of_catalogue(name: str) -> list[type[Saga[Any]]]:
    try:
        sagas = [*_hosted(find_catalogue(Path.cwd(), name, or_else=""))]
    except InvalidSettings as error:
        raise wrong(str(error)) from error
    if not sagas:
        raise wrong(f"the catalogue {name} hosts no saga")
    return sagas


def _hosted(catalogue: Catalogue) -> Iterable[type[Saga[Any]]]:
    return (one for one in catalogue.hosted if issubclass(one, Saga))


def wrong(what: str) -> click.BadParameter:
    return click.BadParameter(what, param_hint=HINT)


def _described(found: object) -> str:
    return f"the class {found.__name__}" if isinstance(found, type) else f"a {type(found).__name__}"
