"""Looks for undos that read what only the answer of their own step tells: while that is not known, it is empty.

the source of an undo ──▶ fields that go into its command as they are
    less what the start, a migration or any other step may set, and what the undo looks at before it uses it
    and only what the step's own on_answer sets ──▶ a warning

Only plain functions are read whose source is at hand. Whatever may be fine is passed over: a function that hands the
state on to another one may do anything.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from runtime.contracts import is_message_type
from runtime.saga.attributes import parts_of
from runtime.saga.saga import Saga
from runtime.saga.step import Step
from runtime.syntax import syntax_tree

__all__ = ["undo_findings"]

_CHANGES = ("CopyFrom", "MergeFrom", "ParseFromString", "append", "extend", "add", "insert", "update", "SetInParent")
_LOOKS = (ast.BoolOp, ast.Compare, ast.UnaryOp, ast.IfExp, ast.NamedExpr, ast.comprehension)
_PLAIN = ("str", "int", "float", "bool", "len", "min", "max", "sum", "sorted", "list", "tuple", "any", "all", "range")
_NOT_KEPT = ("do", "undo")  # Of a step: what these do to the state is lost.

_Function = Callable[..., Any]


def undo_findings(saga: type[Saga[Any]]) -> Iterator[str]:
    """Each names the step, the field and the cure."""
    parts = parts_of(saga)
    for name, step in parts.items():
        if not isinstance(step, Step) or step.undo is None or step.probe is not None:
            continue
        own = step.on_answer if isinstance(step.on_answer, tuple) else (step.on_answer,)
        uses = _uses_of(step.undo)
        told = {field for one in own if (its := _uses_of(one)) for field in its.sets}
        suspects = told & uses.gives if uses else set()
        others = [one for other, part in parts.items() if other != name for one in _functions(part)]
        makers: list[_Function] = [*_starts(saga), *saga.carries.values()]
        for field in sorted(suspects):
            if any(_makes(one, field) for one in makers) or any(_may_set(one, field) for one in others):
                continue
            yield (
                f"{saga.__name__}.{name}: its undo {step.undo.__name__} reads {field!r}, which only the step's own "
                "answer sets: it is empty when the step is undone without an answer, since nobody knows whether it was "
                "done. Have the undo say what the command said, or give the step a probe=Probe()"
            )


@dataclass(frozen=True, slots=True)
class _Uses:
    """What a function does with the fields of its first parameter."""

    gives: set[str]  # They go into what it returns, and nothing looks at them before.
    sets: set[str]
    names: set[str]  # It does anything at all with them.
    hands_on: bool  # It gives the whole to somebody else.


def _uses_of(function: _Function) -> _Uses | None:
    """None for a function that cannot be read."""
    tree = _tree(function)
    if tree is None or not tree.args.args:
        return None
    above = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    uses = _Uses(set(), set(), set(), False)
    hands_on = False
    looked_at: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Name) or node.id != tree.args.args[0].arg:
            continue
        field = above[node]
        if not isinstance(field, ast.Attribute) or _is_called(field, above):
            hands_on = True
            continue
        uses.names.add(field.attr)
        last = _end_of(field, above)
        if isinstance(getattr(last, "ctx", None), ast.Store) or _is_changed(last, above):
            uses.sets.add(field.attr)
        else:
            (uses.gives if _is_given(last, above) else looked_at).add(field.attr)
    return _Uses(uses.gives - looked_at, uses.sets, uses.names, hands_on)


def _tree(function: _Function) -> ast.FunctionDef | None:
    if not inspect.isfunction(function):
        return None
    try:
        tree = syntax_tree(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, SyntaxError, TypeError, IndexError):
        return None
    return tree if isinstance(tree, ast.FunctionDef) else None


def _end_of(field: ast.expr, above: dict[ast.AST, ast.AST]) -> ast.expr:
    """The whole of `state.line.sku`, or of `state.lines[0]`, which begins with this field."""
    while isinstance(one := above[field], ast.Attribute | ast.Subscript) and one.value is field:
        field = one
    return field


def _is_called(node: ast.expr, above: dict[ast.AST, ast.AST]) -> bool:
    one = above[node]
    return isinstance(one, ast.Call) and one.func is node


def _is_changed(last: ast.expr, above: dict[ast.AST, ast.AST]) -> bool:
    return isinstance(last, ast.Attribute) and last.attr in _CHANGES and _is_called(last, above)


def _is_given(node: ast.AST, above: dict[ast.AST, ast.AST]) -> bool:
    """Whether it stands in what is returned, and is not looked at there."""
    while not isinstance(node, ast.stmt):
        node = above[node]
        if isinstance(node, _LOOKS):
            return False
    is_asked = any(isinstance(one, ast.If | ast.While | ast.Match | ast.Try) for one in _all_above(node, above))
    return isinstance(node, ast.Return) and not is_asked


def _all_above(node: ast.AST, above: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    while node in above:
        yield (node := above[node])


def _may_set(function: _Function, field: str) -> bool:
    uses = _uses_of(function)
    return uses is None or uses.hands_on or field in uses.names


def _makes(function: _Function, field: str) -> bool:
    """Whether it may make a state that has the field: it names it, or calls what is neither a message nor harmless."""
    tree = _tree(function)
    if tree is None:
        return True
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in (None, field):
            return True
        if isinstance(node, ast.Attribute) and node.attr == field:
            return True
        if isinstance(node, ast.Call) and not _is_harmless(function, node.func):
            return True
    return False


def _is_harmless(function: _Function, called: ast.expr) -> bool:
    """It makes a message, or a plain value, or does something with a field of one."""
    if isinstance(called, ast.Name) and called.id in _PLAIN:
        return True
    is_of_field = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Attribute)
    return is_of_field or is_message_type(_known(function, called))


def _known(function: _Function, node: ast.expr) -> object:
    """What a name, or a name in a module, stands for in the function; None where it is not known."""
    if isinstance(node, ast.Attribute):
        return getattr(_known(function, node.value), node.attr, None)
    return function.__globals__.get(node.id) if isinstance(node, ast.Name) else None


def _starts(saga: type[Saga[Any]]) -> Iterator[_Function]:
    starts = saga.started_by if isinstance(saga.started_by, tuple) else (saga.started_by,)
    yield from (one.function for one in starts if one.function is not None)


def _functions(part: object) -> Iterator[_Function]:
    """All of a part, and of the parts within, but for what cannot change the state for good."""
    if isinstance(part, tuple | list):
        for one in part:
            yield from _functions(one)
    elif isinstance(part, dict):
        yield from _functions(tuple(part.values()))
    elif inspect.isfunction(part):
        yield part
    elif is_dataclass(part) and not isinstance(part, type):
        for field in fields(part):
            if field.name not in _NOT_KEPT:
                yield from _functions(getattr(part, field.name))
