"""The part of types that the linter needs: what is a set, and what holds sets.

    set[int], frozenset(x), a | b        SET
    dict[str, set[int]], [set(), set()]  holds SET, so that what is taken out of it is one

The linter takes what it does not know for harmless, so that its reports are worth reading.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from runtime.syntax import syntax_tree

__all__ = ["SET", "SET_MAKERS", "Shape", "holding", "of_annotation", "union"]


@dataclass(frozen=True, slots=True)
class Shape:
    """A set; or, with an `item`, something that holds values of that shape."""

    item: Shape | None = None

    @property
    def is_set(self) -> bool:
        return self.item is None


SET = Shape()

_TYPING = ("typing", "typing_extensions", "collections.abc", "builtins", "collections")
_SETS = ("set", "frozenset", "Set", "FrozenSet", "AbstractSet", "MutableSet")
_WRAPPERS = ("Annotated", "ClassVar", "Final", "Optional", "Required", "NotRequired")
_HOLDERS = ("list", "List", "tuple", "Tuple", "deque", "Deque", "Sequence", "Iterable", "Iterator", "Collection")
_KEYED = ("dict", "Dict", "Mapping", "MutableMapping", "defaultdict", "DefaultDict", "OrderedDict")

SET_MAKERS = ("builtins.set", "builtins.frozenset", "asyncio.all_tasks", "weakref.WeakSet")
"""Calls that return a set."""

InFull = Callable[[ast.expr], str]
Known = Callable[[str], Shape | None]


def holding(item: Shape | None) -> Shape | None:
    """The shape of something that holds such values. It is unknown if theirs is."""
    return None if item is None else Shape(item)


def union(shapes: Iterable[Shape | None]) -> Shape | None:
    """The shape of what may be any of these: a set if one of them is."""
    found = [shape for shape in shapes if shape is not None]
    return next((shape for shape in found if shape.is_set), found[0] if found else None)


def of_annotation(annotation: ast.expr | None, in_full: InFull, alias: Known) -> Shape | None:
    """The shape that an annotation declares. `alias` knows names like `Shards = frozenset[int]`."""
    match annotation:
        case ast.Constant(value=str(text)):
            return of_annotation(_parsed(text), in_full, alias)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return union(of_annotation(side, in_full, alias) for side in (left, right))
        case ast.Subscript(value=base, slice=inner):
            parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _of_generic(in_full(base), parts, in_full, alias)
        case ast.Name() | ast.Attribute():
            name = in_full(annotation)
            return SET if _is_of(name, _SETS) or name == "weakref.WeakSet" else alias(name)
        case _:
            return None


def _of_generic(name: str, parts: list[ast.expr], in_full: InFull, alias: Known) -> Shape | None:
    if _is_of(name, _SETS) or name == "weakref.WeakSet":
        return SET
    if _is_of(name, _WRAPPERS):
        return of_annotation(parts[0], in_full, alias)
    if _is_of(name, ("Union",)):
        return union(of_annotation(part, in_full, alias) for part in parts)
    if _is_of(name, _HOLDERS):
        return holding(union(of_annotation(part, in_full, alias) for part in parts))
    if _is_of(name, _KEYED) and len(parts) == 2:
        return holding(of_annotation(parts[1], in_full, alias))
    return None


def _is_of(name: str, last_names: tuple[str, ...]) -> bool:
    package, _, last = name.rpartition(".")
    return package in _TYPING and last in last_names


def _parsed(text: str) -> ast.expr | None:
    try:
        return syntax_tree(text, mode="eval").body
    except SyntaxError:
        return None
