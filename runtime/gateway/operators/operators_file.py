"""The operators that somebody has written down: a file of names, rights, and digests of tokens.

[ann]
rights = "act"                     # or "read"
token = "sha256:9f86d081884c..."   # none for one who comes by a proxy alone

The file is looked at with every call, and read again when it has changed. So an operator who is taken out of the file
is refused from the next call on. While the file cannot be read, everybody is.
"""

from __future__ import annotations

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runtime.durations import shown
from runtime.errors import InvalidSettings
from runtime.gateway.operators.operator import DIGEST_PREFIX, Operator

__all__ = ["OperatorsFile"]

_RIGHTS = {"read": False, "act": True}
_DIGEST = re.compile(re.escape(DIGEST_PREFIX) + "[0-9a-f]{64}")
_BYTES_MAX = 1024 * 1024
_NAME_MAX = 200  # characters, as those of `who` in an act


@dataclass(frozen=True, slots=True)
class _Read:
    """What the file said when it looked like `seen`."""

    seen: tuple[int, ...] = ()
    by_name: Mapping[str, Operator] = field(default_factory=dict)
    by_digest: Mapping[str, Operator] = field(default_factory=dict)


class OperatorsFile:
    """Each look at it raises InvalidSettings when the file cannot be used, with what is wrong in which file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = _Read()
        self._look()

    def by_name(self, name: str) -> Operator | None:
        return self._look().by_name.get(name)

    def by_digest(self, digest: str) -> Operator | None:
        return self._look().by_digest.get(digest)

    def _look(self) -> _Read:
        try:
            with self._path.open("rb") as file:
                found = os.fstat(file.fileno())
                seen = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)
                if self._read.seen != seen:
                    content = file.read(_BYTES_MAX + 1)
                    self._read = self._parsed(content, found.st_mode, seen)
        except OSError as error:
            self._read = _Read()
            raise InvalidSettings(f"the file of operators {self._path} cannot be read: {error.strerror}") from error
        except InvalidSettings:
            self._read = _Read()
            raise
        return self._read

    def _parsed(self, content: bytes, mode: int, seen: tuple[int, ...]) -> _Read:
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise self._wrong("others than its owner may write it, and so let themselves in: chmod go-w it")
        if len(content) > _BYTES_MAX:
            raise self._wrong(f"it has more than {_BYTES_MAX:,} bytes")
        try:
            tables: Mapping[str, Any] = tomllib.loads(content.decode("utf-8"))
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise self._wrong(f"it is no TOML: {error}") from error
        by_name: dict[str, Operator] = {}
        by_digest: dict[str, Operator] = {}
        for name, table in tables.items():
            operator, digest = self._operator(name, table)
            by_name[name] = operator
            if digest and by_digest.setdefault(digest, operator) is not operator:
                raise self._wrong(f"{by_digest[digest].name} and {name} have the same token; give each one of its own")
        return _Read(seen, by_name, by_digest)

    def _operator(self, name: str, table: object) -> tuple[Operator, str]:
        if not name or len(name) > _NAME_MAX or not name.isprintable():
            raise self._wrong(f"{shown(name)} is no name: an operator has up to {_NAME_MAX} printable characters")
        if not isinstance(table, dict):
            raise self._wrong(f'{name} is no table; write [{name}], and below it rights = "read" or "act"')
        if unknown := sorted(set(table) - {"rights", "token"}):
            raise self._wrong(f"{name} has {shown(unknown[0])}; an operator has rights and token")
        rights, digest = table.get("rights"), table.get("token", "")
        if not isinstance(rights, str) or rights not in _RIGHTS:
            raise self._wrong(f'rights of {name} are {shown(rights)}; they are "read" or "act"')
        if not isinstance(digest, str) or (digest and not _DIGEST.fullmatch(digest)):
            raise self._wrong(
                f"token of {name} is no digest; make a token and its digest by `amends admin token {name}`. "
                "The token itself does not belong here"
            )
        return Operator(name, _RIGHTS[rights]), digest

    def _wrong(self, why: str) -> InvalidSettings:
        return InvalidSettings(f"the file of operators {self._path} cannot be used: {why}")
