"""What a project says of itself, in the pyproject.toml of its folder.

[tool.amends]
catalogue = "shop.catalogue:catalogue"      what its nodes can host
register = ["shop.gateway:register"]        gRPC services of its own, added to the server of each node
demo = "shop.demo:demo"                     what `amends demo` runs

[tool.amends.workloads]                     what simulations run, by short names
trips = "shop.clients:Travellers@shop.catalogue:catalogue"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.errors import InvalidSettings

__all__ = ["FILE", "TABLE", "Project", "read_project"]

FILE = "pyproject.toml"
TABLE = "tool.amends"
_KEYS = ("catalogue", "register", "demo", "workloads")


@dataclass(frozen=True, slots=True)
class Project:
    """The names are MODULE:NAME, and empty if the project has no catalogue or no demo; workloads have short names."""

    folder: Path
    catalogue: str = ""
    register: tuple[str, ...] = ()
    demo: str = ""
    workloads: Mapping[str, str] = field(default_factory=dict)


def read_project(folder: Path) -> Project:
    """A project without names if the folder has no such file or table. Raises InvalidSettings."""
    file = folder / FILE
    try:
        content: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Project(folder)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"{file} cannot be read: {error}") from error
    tool = content.get("tool", {})
    table = tool.get("amends", {}) if isinstance(tool, dict) else None
    if not isinstance(table, dict):
        raise InvalidSettings(f"{file}: amends is to be a table, as in [{TABLE}]")
    if unknown := sorted(set(table) - set(_KEYS)):
        raise InvalidSettings(f"{file}: [{TABLE}] has no {unknown[0]!r}; it may have {', '.join(_KEYS)}")
    register, workloads = table.get("register", []), table.get("workloads", {})
    for key in ("catalogue", "demo"):
        if not isinstance(table.get(key, ""), str):
            raise InvalidSettings(f'{file}: [{TABLE}] {key} is to be one name, as in "MODULE:FUNCTION"')
    if not isinstance(register, list) or not all(isinstance(name, str) for name in register):
        raise InvalidSettings(f'{file}: [{TABLE}] register is to be a list of names, as in ["MODULE:FUNCTION"]')
    if not isinstance(workloads, dict) or not all(isinstance(name, str) and name for name in workloads.values()):
        line = 'name = "MODULE:CLIENTS@MODULE:CATALOGUE"'
        raise InvalidSettings(f"{file}: [{TABLE}.workloads] is to hold lines like {line}")
    return Project(folder, table.get("catalogue", ""), tuple(register), table.get("demo", ""), workloads)
