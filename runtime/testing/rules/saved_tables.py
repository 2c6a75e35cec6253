"""Saves tables as they are now, and brings them back, for a database that loses its newest writes.

SavedTables(store, ledger) ──later──▶ turn_back: the tables are as they were
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Any

__all__ = ["SavedTables"]


class SavedTables:
    """Copies of all tables among the attributes of some objects, `but` those of these names. Counters are no tables.

    Rows are never changed in place, so only the tables are copied.
    """

    def __init__(self, *objects: object, but: Collection[str] = ()) -> None:
        self._kept = [(one, {name: _copy(table) for name, table in _tables(one, but)}) for one in objects]

    def turn_back(self) -> None:
        """Brings the tables back. It works once, since they change from then on."""
        for one, tables in self._kept:
            for name, table in tables.items():
                setattr(one, name, table)
        self._kept.clear()


def _tables(one: object, but: Collection[str]) -> Iterator[tuple[str, object]]:
    for name, value in vars(one).items():
        if isinstance(value, dict | list) and not isinstance(value, Counter) and name not in but:
            yield name, value


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(one) for key, one in value.items()}
    return [_copy(one) for one in value] if isinstance(value, list) else value
