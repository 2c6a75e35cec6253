"""Finds what a command line names: a workload, a saga. Names are never read from data."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import click

from runtime.testing.simulation.workload import Workload

__all__ = ["attribute_of", "workload_named"]

_HOMES = {"orders": "actors.workload", "random": "runtime.testing.programs"}  # of workloads known by a short name


def workload_named(name: str) -> Callable[[], Workload]:
    """What makes the workload [MODULE:]NAME. Raises BadParameter."""
    module_name, _, attribute = name.rpartition(":")
    home = module_name or _HOMES.get(attribute, "")
    if not home:
        known = " and ".join(_HOMES)
        raise click.BadParameter(
            f"there is no workload {name!r}; {known} are known, or name MODULE:NAME", param_hint="--workload"
        )
    made: Callable[[], Workload] = attribute_of(home, attribute, "workload", "--workload")
    if not callable(made):
        raise click.BadParameter(f"{name} makes no workload: it cannot be called", param_hint="--workload")
    return made


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
