"""The settings of a store, as its URL gives them behind a question mark.

    sqlite:///amends.db?wait_s=30 ──split_options──▶ sqlite:///amends.db, {wait_s: 30}
                                  ──read_options───▶ the dataclass of the engine, each field with its rule

A store's URL comes from a flag, the environment or a file, as every setting of a node does; so do these with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from runtime.errors import InvalidSettings
from runtime.setting import rule_of

__all__ = ["read_options", "split_options"]

T = TypeVar("T")


def split_options(url: str) -> tuple[str, dict[str, str]]:
    """A URL without its options, and these by name. Raises InvalidSettings for one that is given twice."""
    bare, _, query = url.partition("?")
    given = parse_qsl(query, keep_blank_values=True)
    options = dict(given)
    for name in options:
        if [one for one, _ in given].count(name) > 1:
            raise InvalidSettings(f"the store's URL gives its setting {name} twice; give it once")
    return bare, options


def read_options(options: Mapping[str, str], settings: type[T]) -> T:
    """The settings of an engine: a dataclass whose fields are made by `runtime.setting.setting`.

    Raises InvalidSettings, with a line for each mistake. It shows no value, since one might be a secret.
    """
    rules = {one.name: rule_of(one) for one in fields(settings)}  # type: ignore[arg-type]  # T is a dataclass
    read: dict[str, Any] = {}
    wrong: list[str] = []
    for name, value in options.items():
        if name not in rules:
            there = ", ".join(rules) or "none"
            wrong.append(f"the store's URL has an unknown setting {name}; there are: {there}")
            continue
        try:
            read[name] = rules[name].read(value)
        except ValueError as error:
            wrong.append(f"the store's setting {name} is wrong: {error}")
    if wrong:
        raise InvalidSettings("\n".join(wrong))
    return settings(**read)
