"""In which order a turn may have handled its messages: the history does not tell, so any order that fits will do.

    model, rows of one turn ──search──▶ the model after an order without mistakes, or the mistakes of the given order

Rows that are alike are tried once, and what is left is searched once for each state of the model. So a turn with a
dozen messages costs some hundred looks, where its orders are half a billion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import astuple, replace
from typing import Any, TypeVar

from runtime.store.records import HistoryRow

__all__ = ["after_turn"]

M = TypeVar("M", bound=Any)  # a dataclass with `broken(rows)`, which takes the rows and tells what is wrong with each
_Kind = tuple[object, ...]


def after_turn(model: M, turn: Iterable[HistoryRow]) -> tuple[M, list[str]]:
    """The model after an order of a turn that breaks nothing; else that after the given order, and its mistakes."""
    rows = list(turn)
    one_of = {_kind(row): row for row in reversed(rows)}
    kinds = list(reversed(one_of))
    count = Counter(map(_kind, rows))
    seen: set[tuple[object, ...]] = set()
    open_ends: list[tuple[M, tuple[int, ...]]] = [(replace(model), tuple(count[kind] for kind in kinds))]
    while open_ends:
        here, left = open_ends.pop()
        if not any(left):
            return here, []
        if (astuple(here), left) in seen:
            continue
        seen.add((astuple(here), left))
        open_ends += reversed(_next(here, left, [one_of[kind] for kind in kinds]))
    given = replace(model)
    return given, list(given.broken(rows))


def _next(model: M, left: tuple[int, ...], rows: Sequence[HistoryRow]) -> list[tuple[M, tuple[int, ...]]]:
    """What may follow: each kind of row that is left, if it breaks nothing."""
    found = []
    for place, row in enumerate(rows):
        after = replace(model)
        if left[place] and not list(after.broken([row])):
            found.append((after, (*left[:place], left[place] - 1, *left[place + 1 :])))
    return found


def _kind(row: HistoryRow) -> _Kind:
    """What a model may look at. Rows of one turn that do not differ in it are the same to every model."""
    return row.type, row.sender, row.outcome, row.error, row.caused, row.handled_at_s
