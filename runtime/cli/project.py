"""What a project says of itself, in the pyproject.toml of its folder.

[tool.amends]
catalogue = "shop.catalogue:catalogue"      what its nodes can host
register = ["shop.gateway:register"]        gRPC services of its own, added to the server of each node
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runtime.errors import InvalidSettings

__all__ = ["FILE", "TABLE", "Project", "read_project"]

FILE = "pyproject.toml"
TABLE = "tool.amends"
_KEYS = ("catalogue", "register", "workloads")


@dataclass(frozen=True, slots=True)
class Project:
    """The names are MODULE:NAME; the catalogue's is empty where the project has none."""

    folder: Path
    catalogue: str = ""
    register: tuple[str, ...] = ()


def read_project(folder: Path) -> Project:
    """A project without names if the folder has no such file or table. Raises InvalidSettings."""
    file = folder / FILE
    try:
        content: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Project(folder)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidSettings(f"{file} cannot be read: {error}") from error
    table = content.get("tool", {})
    table = table.get("amends", {}) if isinstance(table, dict) else {}
    if not isinstance(table, dict):
        raise InvalidSettings(f"{file}: amends is to be a table, as in [{TABLE}]")
    if unknown := sorted(set(table) - set(_KEYS)):
        raise InvalidSettings(f"{file}: [{TABLE}] has no {unknown[0]!r}; it may have {', '.join(_KEYS)}")
    catalogue, register = table.get("catalogue", ""), table.get("register", [])
    if not isinstance(catalogue, str):
        raise InvalidSettings(f'{file}: [{TABLE}] catalogue is to be one name, as in "MODULE:FUNCTION"')
    if not isinstance(register, list) or not all(isinstance(name, str) for name in register):
        raise InvalidSettings(f'{file}: [{TABLE}] register is to be a list of names, as in ["MODULE:FUNCTION"]')
    return Project(folder, catalogue, tuple(register))
