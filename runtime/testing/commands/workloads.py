"""The workloads that the project names in its pyproject.toml. The first of them is the default of `--workload`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from runtime.errors import InvalidSettings
from runtime.project import FILE, TABLE, read_project

__all__ = ["first", "named"]


def named() -> Mapping[str, str]:
    """What each short name stands for. Raises UsageError if the project's file is wrong."""
    try:
        return read_project(Path.cwd()).workloads
    except InvalidSettings as error:
        raise click.UsageError(str(error)) from error


def first() -> str:
    """The name of the first workload. Raises UsageError if the project names none."""
    for name in named():
        return name
    raise click.UsageError(f"name a workload by --workload MODULE:NAME, or in [{TABLE}.workloads] of {FILE}")
