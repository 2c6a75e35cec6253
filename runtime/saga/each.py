"""What an author writes a step for each item of a list with; how many items there are is known when it is reached.

lines = Each(order_lines, key="sku", step=Step(do=reserve, done=Reserved, undo=release, undone=Released, ...))
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from runtime.saga.child import Child
from runtime.saga.flow import Part
from runtime.saga.lock import Lock
from runtime.saga.step import Step

__all__ = ["AT_ONCE", "AT_ONCE_MAX", "ITEMS_MAX", "LOCKS_MAX", "Each"]

AT_ONCE = 100
"""Items under way at a time, where the list says nothing of it."""

AT_ONCE_MAX = 10_000
"""Of one list. One answer may let so many begin, and what one message leads to has to fit into one commit."""

LOCKS_MAX = 10_000
"""Items of a list of locks: the end of the saga releases all of them in one commit."""

ITEMS_MAX = 100_000
"""Of one list. Its record is written with each answer, so beyond some 2,000 a child saga for each page is faster."""


@dataclass(frozen=True, eq=False)
class Each(Part):
    """One step for each item, side by side or in order. The list is taken once, when its turn comes, and recorded.

    items     (state) -> the items: messages of one type, or texts; the annotation of what it returns says which. None
              at all is fine, and done at once
    step      what is done for each: a Step, a Child, or a Lock. Its functions are given the item: do(state, item),
              undo(state, item) or undo(state, item, reason), start(state, item), a lock's key(state, item), and
              on_answer(item, answer) or on_done(item, result), which change the item in place. The state is as it is
              when they are called, and they cannot change it
    key       what names an item among the others: the name of a text field, or (item) -> text; texts name themselves.
              Two items of one key are refused before anything is sent
    at_once   how many may be under way at a time, at most 10,000
    in_order  True: each is done before the next is begun, and they are undone in reverse, each confirmed before the
              one before it. One that is stuck holds up the others, unless the saga undoes past what is stuck
    at_least  once so many are done the flow goes on: what is under way is undone, and what has not begun never will.
              Without it, all
    tolerate  how many may fail. What is tolerated is undone, if it may have happened, and the flow waits for that
    on_done   (state, items) -> None: takes facts of the items that are done into the state
    """

    items: Callable[[Any], Iterable[Any]]
    step: Step | Child | Lock
    key: str | Callable[[Any], str] = ""
    at_once: int = AT_ONCE
    at_least: int | None = None
    tolerate: int = 0
    on_done: Callable[[Any, list[Any]], None] | None = None
    in_order: bool = False
