"""The workloads that a project names in its pyproject.toml, in the folder where a command runs.

    [tool.amends.workloads]
    trips = "examples.trip.clients:Travellers@examples.trip.catalogue:catalogue"

The first of them is the default of `--workload`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

__all__ = ["PROJECT", "first", "named"]

PROJECT = "pyproject.toml"
_TABLE = "tool.amends.workloads"


def named(folder: Path | None = None) -> Mapping[str, str]:
    """What each short name stands for; empty if there is no such table.

    Raises UsageError if the file cannot be read, or if the table holds anything but names.
    """
    file = (folder or Path.cwd()) / PROJECT
    try:
        found: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise click.UsageError(f"{file} cannot be read: {error}") from error
    for part in _TABLE.split("."):
        found = found.get(part, {}) if isinstance(found, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, str) and value for value in found.values()):
        raise click.UsageError(f'{file}: [{_TABLE}] is to hold lines like name = "MODULE:CLIENTS@MODULE:CATALOGUE"')
    return found


def first() -> str:
    """The name of the first workload. Raises UsageError if the project names none."""
    for name in named():
        return name
    raise click.UsageError(f"name a workload by --workload MODULE:NAME, or in [{_TABLE}] of {PROJECT}")
