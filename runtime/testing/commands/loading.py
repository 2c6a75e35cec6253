"""Finds the workload or the saga that a command line names. Names are never read from data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from runtime.errors import InvalidDefinition, InvalidSettings
from runtime.object_reference import call_object, find_object
from runtime.project import FILE, TABLE
from runtime.saga.catalogue import Catalogue
from runtime.testing.commands.workloads import named
from runtime.testing.determinism.sources import check_catalogue
from runtime.testing.runs.clients import Clients
from runtime.testing.runs.seeds import Standing
from runtime.testing.runs.workload import Workload
from runtime.testing.virtual.dice import Dice

__all__ = ["find", "workload_named"]

_WHOLE = "MODULE:CLIENTS@MODULE:CATALOGUE"
_HINT = "--workload"


def workload_named(name: str) -> Workload:
    """The workload of this name in the project, or that of MODULE:NAME or MODULE:CLIENTS@MODULE:CATALOGUE.

    Raises BadParameter, also if the workload's code uses what no replay could repeat. Raises UsageError if the
    project's file cannot be read.
    """
    full = _full_name(name)
    workload = _standing(*full.split("@", 1)) if "@" in full else _made(full)
    try:
        check_catalogue(workload.deploy(Dice(0)).catalogue)
    except InvalidDefinition as error:
        raise _wrong(str(error)) from error
    return workload


def _full_name(name: str) -> str:
    if ":" in name:
        return name
    known = named()
    if name not in known:
        names = ", ".join(known) or f"one of [{TABLE}.workloads] in {FILE}"
        raise _wrong(f"there is no workload {name!r}; name {names}, or MODULE:NAME")
    return known[name]


def _standing(clients: str, catalogue: str) -> Workload:
    """A workload with clients of its own and a catalogue that is the same for every seed."""
    make_clients, make_catalogue = _maker(clients, "clients"), _maker(catalogue, "catalogue")
    if isinstance(make_clients, type) and not callable(getattr(make_clients, "run", None)):
        raise _wrong(f"{clients} is a class without run(), and so no clients; derive it from runtime.testing.Clients")
    made = _called(make_catalogue, catalogue, "catalogue")
    if not isinstance(made, Catalogue):
        raise _wrong(f"{catalogue} gives a {type(made).__name__}, not a Catalogue; write {_WHOLE}")
    return Standing(made, make_clients)


def _maker(name: str, what: str) -> Callable[..., Any]:
    make: Callable[..., Any] = find(name, what, _HINT)
    if not callable(make):
        raise _wrong(f"{name} is a {type(make).__name__}, which cannot be called to make {what}; write {_WHOLE}")
    return make


def _made(name: str) -> Workload:
    make = _maker(name, "workload")
    if isinstance(make, type) and issubclass(make, Clients):
        raise _wrong(f"{name} is a class of clients, and needs a catalogue too: write {_WHOLE}")
    made: Workload = _called(make, name, "workload")
    if not callable(getattr(made, "deploy", None)):
        raise _wrong(f"{name} is no workload: it gives a {type(made).__name__}; write {_WHOLE}")
    return made


def _called(make: Callable[..., Any], name: str, what: str) -> Any:
    try:
        return call_object(make, name, what)
    except InvalidSettings as error:
        raise _wrong(str(error)) from error


def _wrong(what: str) -> click.BadParameter:
    return click.BadParameter(what, param_hint=_HINT)


def find(name: str, what: str, hint: str, *, example: str = "examples.trip.catalogue:catalogue") -> Any:
    """What MODULE:NAME names. Raises BadParameter of the option `hint`, with the cause and the cure."""
    try:
        return find_object(name, what, example=example)
    except InvalidSettings as error:
        raise click.BadParameter(str(error), param_hint=hint) from error
