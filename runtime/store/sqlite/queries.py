"""Reads the .sql files beside the code: fixed statements by name, and the steps of the schema."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from runtime.store.columns import TABLES
from runtime.store.sqlite.names import HISTORY_IN_WORDS

__all__ = ["named_queries", "schema_steps"]

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def named_queries() -> Mapping[str, str]:
    """Every statement of sqlite_queries.sql by its name, without comments; `{mail}` stands for the columns of mail."""
    _, *parts = _NAME.split(_read("sqlite_queries.sql"))
    names, bodies = parts[::2], parts[1::2]
    return MappingProxyType({name: _bare(body) for name, body in zip(names, bodies, strict=True)})


@cache
def schema_steps() -> tuple[str, ...]:
    """The scripts that lead from an empty file to the present schema; the n-th (from 1) makes version n."""
    return (_read("sqlite_schema_1.sql"),)


def _read(name: str) -> str:
    return resources.files("runtime.store").joinpath("sql", name).read_text(encoding="utf-8")


def _bare(body: str) -> str:
    text = "\n".join(line for line in body.splitlines() if line and not line.startswith("--"))
    text = text.replace("{history}", HISTORY_IN_WORDS)
    for columns in TABLES:
        text = text.replace(f"{{{columns.table}}}", str(columns))
    return text
