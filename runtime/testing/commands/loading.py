"""Finds what a command line names: a workload, a saga. Names are never read from data."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import click

from runtime.errors import InvalidDefinition
from runtime.testing.determinism.sources import check_catalogue
from runtime.testing.seeds import Standing
from runtime.testing.simulation.dice import Dice
from runtime.testing.simulation.workload import Workload

__all__ = ["attribute_of", "workload_named"]

# Where workloads live that are known by a short name.
_HOMES = {
    "orders": "actors.workload",
    "errand": "actors.errand",
    "failover": "actors.failover",
    "random": "runtime.testing.programs",
    "streams": "runtime.testing.streams",
    "poisoned": "actors.poisoned",
    "upgrade": "actors.upgrade",
}


def workload_named(name: str) -> Workload:
    """The workload [MODULE:]NAME, or that of MODULE:CLIENTS@MODULE:CATALOGUE.

    Raises BadParameter, also when its code uses what no replay could repeat.
    """
    workload = _standing(*name.split("@", 1)) if "@" in name else _made(name)
    try:
        check_catalogue(workload.deploy(Dice(0)).catalogue)
    except InvalidDefinition as error:
        raise click.BadParameter(str(error), param_hint="--workload") from error
    return workload


def _standing(clients: str, catalogue: str) -> Workload:
    """Clients of a catalogue that is the same for every seed."""
    found = []
    for name, what in ((clients, "clients"), (catalogue, "catalogue")):
        module_name, _, attribute = name.rpartition(":")
        if not module_name:
            raise click.BadParameter(f"{name!r} names no {what}: write MODULE:NAME", param_hint="--workload")
        found.append(attribute_of(module_name, attribute, what, "--workload"))
    make_clients, make_catalogue = found
    return Standing(make_catalogue(), make_clients)


def _made(name: str) -> Workload:
    module_name, _, attribute = name.rpartition(":")
    home = module_name or _HOMES.get(attribute, "")
    if not home:
        known = ", ".join(_HOMES)
        raise click.BadParameter(
            f"there is no workload {name!r}; name {known}, or MODULE:NAME", param_hint="--workload"
        )
    make: Callable[[], Workload] = attribute_of(home, attribute, "workload", "--workload")
    if not callable(make):
        raise click.BadParameter(f"{name} makes no workload: it cannot be called", param_hint="--workload")
    return make()


def attribute_of(module_name: str, attribute: str, what: str, hint: str) -> Any:
    """An attribute of a module. Raises BadParameter, which names what the module has instead."""
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise click.BadParameter(f"{module_name}: {error}", param_hint=hint) from error
    found = getattr(module, attribute, None)
    if found is None:
        known = ", ".join(getattr(module, "__all__", ())) or "nothing that it names in __all__"
        raise click.BadParameter(f"{module.__name__} has no {what} {attribute!r}; it has {known}", param_hint=hint)
    return found
