"""Infers which expressions of a module are sets, as far as annotations and assignments tell.

declare(module) ──▶ SourceFacts        first, over all files
Scope ──shape_of(expression)──▶ SET, a holder of sets, or nothing known
"""

from __future__ import annotations

import ast

from runtime.testing.determinism.facts import Method, SourceFacts, methods_of
from runtime.testing.determinism.names import Function, ImportedNames, bound_in
from runtime.testing.determinism.shapes import SET, SET_MAKERS, Shape, holding, of_annotation, union

__all__ = ["Scope", "declare"]

_SETS_OF_A_SET = ("copy", "union", "difference", "intersection", "symmetric_difference")
_TAKEN_OUT = ("get", "setdefault", "pop", "popleft", "popitem")
_KEPT = ("values", "copy")
_SET_OPERATORS = (ast.Sub, ast.BitAnd, ast.BitOr, ast.BitXor)


class Scope:
    """The names of one function, and of those around it up to the module. A name has the shape of its last value."""

    def __init__(
        self,
        facts: SourceFacts,
        names: ImportedNames,
        *,
        owner: str = "",
        around: Scope | None = None,
        within: str = "",
    ) -> None:
        self.facts = facts
        self.names = names
        self.owner = owner  # The module.Class whose method this function is, or lies in.
        self.self_name = within  # The name of the method's first parameter.
        self.around = around
        self.bound: dict[str, None] = {}
        self.shapes: dict[str, Shape | None] = {}

    def function(self, function: Function, *, owner: str = "", within: str = "") -> Scope:
        """The scope of a function that is defined in this one."""
        inner = Scope(self.facts, self.names, owner=owner or self.owner, around=self, within=within or self.self_name)
        inner.bound = bound_in(function)
        arguments = function.args
        for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            inner.shapes[one.arg] = self.annotated(one.annotation)
        if arguments.vararg is not None:
            inner.shapes[arguments.vararg.arg] = holding(self.annotated(arguments.vararg.annotation))
        return inner

    # --- names ---

    def in_full(self, node: ast.expr) -> str:
        """The dotted name of something imported, defined or built in; empty for anything else."""
        match node:
            case ast.Name(id=name):
                return "" if self._binds(name) else self.names.in_full(name)
            case ast.Attribute(value=value, attr=attribute):
                before = self.in_full(value)
                return f"{before}.{attribute}" if before else ""
            case _:
                return ""

    def annotated(self, annotation: ast.expr | None) -> Shape | None:
        return of_annotation(annotation, self.in_full, self.facts.names.get)

    def assign(self, target: ast.expr, shape: Shape | None) -> None:
        """Notes the shape of a name from here on. In an unpacking each name has the shape of an item."""
        if isinstance(target, ast.Name):
            self.shapes[target.id] = shape
        elif isinstance(target, ast.Tuple | ast.List):
            for one in target.elts:
                self.assign(one, None if shape is None else shape.item)
        elif isinstance(target, ast.Starred):
            self.assign(target.value, holding(shape))

    def loop(self, target: ast.expr, over: ast.expr) -> None:
        """Notes the shape of a loop's target."""
        match target, over:
            case ast.Tuple(elts=[_, value]), ast.Call(func=ast.Attribute(value=whole, attr="items")):
                self.assign(value, _item(self.shape_of(whole)))
            case ast.Tuple(elts=[_, value]), ast.Call(func=ast.Name(id="enumerate"), args=[whole, *_]):
                self.assign(value, _item(self.shape_of(whole)))
            case _:
                self.assign(target, _item(self.shape_of(over)))

    def _binds(self, name: str) -> bool:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bound:
                return True
            scope = scope.around
        return False

    def _named(self, name: str) -> Shape | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.bound or name in scope.shapes:
                return scope.shapes.get(name)
            scope = scope.around
        return self.facts.names.get(self.names.in_full(name))

    # --- expressions ---

    def shape_of(self, node: ast.expr) -> Shape | None:
        match node:
            case ast.Set() | ast.SetComp():
                return SET
            case ast.Name(id=name):
                return self._named(name)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._call(node)
            case ast.BinOp():
                return self._operation(node)
            case ast.BoolOp(values=values):
                return union(map(self.shape_of, values))
            case ast.IfExp(body=one, orelse=other):
                return union((self.shape_of(one), self.shape_of(other)))
            case ast.NamedExpr(value=value) | ast.Await(value=value):
                return self.shape_of(value)
            case ast.Subscript(value=value, slice=index):
                whole = self.shape_of(value)
                return whole if whole is None or isinstance(index, ast.Slice) else whole.item
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return holding(union(map(self.shape_of, items)))
            case ast.Dict(values=values):
                return holding(union(map(self.shape_of, values)))
            case ast.ListComp(elt=item) | ast.GeneratorExp(elt=item) | ast.DictComp(value=item):
                return holding(self.shape_of(item))
            case _:
                return None

    def _attribute(self, node: ast.Attribute) -> Shape | None:
        known = self.facts.names.get(self.in_full(node))
        return known or self.facts.attribute(node.attr, self._owner_of(node.value))

    def _owner_of(self, node: ast.expr) -> str:
        is_self = isinstance(node, ast.Name) and node.id == self.self_name
        return self.owner if is_self else ""

    def _call(self, node: ast.Call) -> Shape | None:
        name = self.in_full(node.func)
        if name in SET_MAKERS:
            return SET
        if name == "typing.cast" and node.args:
            return self.annotated(node.args[0])
        if name == "collections.defaultdict" and node.args:
            return holding(SET if self.in_full(node.args[0]) in SET_MAKERS else None)
        if name in self.facts.returns:
            return self.facts.returns[name]
        return self._method(node.func) if isinstance(node.func, ast.Attribute) else None

    def _method(self, function: ast.Attribute) -> Shape | None:
        whole = self.shape_of(function.value)
        if whole is None:
            return self.facts.method(function.attr, self._owner_of(function.value))
        if whole.is_set:
            return SET if function.attr in _SETS_OF_A_SET else None
        if function.attr in _TAKEN_OUT:
            return whole.item
        return whole if function.attr in _KEPT else None

    def _operation(self, node: ast.BinOp) -> Shape | None:
        if not isinstance(node.op, _SET_OPERATORS):
            return None
        if _is_view(node.left) or _is_view(node.right):
            return SET
        return union((self.shape_of(node.left), self.shape_of(node.right)))


def declare(tree: ast.Module, names: ImportedNames, facts: SourceFacts) -> None:
    """Notes what a module declares of its names, functions and classes."""
    scope = Scope(facts, names)
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                _note(facts.returns, f"{names.module}.{name}", scope.annotated(node.returns))
            case ast.AnnAssign(target=ast.Name(id=name)):
                _note(facts.names, f"{names.module}.{name}", scope.annotated(node.annotation))
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                _note(facts.names, f"{names.module}.{name}", scope.shape_of(value) or _alias(value, scope))
    for class_ in ast.walk(tree):
        if isinstance(class_, ast.ClassDef):
            _declare_class(class_, scope)


def _alias(value: ast.expr, scope: Scope) -> Shape | None:
    """The shape that a name for a type stands for, as in `Shards = frozenset[int]`."""
    return None if isinstance(value, ast.Constant) else scope.annotated(value)


def _item(whole: Shape | None) -> Shape | None:
    return None if whole is None else whole.item


def _note(known: dict[str, Shape], name: str, shape: Shape | None) -> None:
    if shape is not None:
        known[name] = shape


def _declare_class(class_: ast.ClassDef, scope: Scope) -> None:
    facts, owner = scope.facts, f"{scope.names.module}.{class_.name}"
    for node in class_.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)):
                facts.declare_attribute(owner, name, scope.annotated(node.annotation))
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                facts.declare_attribute(owner, name, scope.shape_of(value))
    for method in methods_of(class_):
        returned = scope.annotated(method.returns)
        if any(isinstance(one, ast.Name) and "property" in one.id for one in method.decorator_list):
            facts.declare_attribute(owner, method.name, returned)
        else:
            facts.declare_method(owner, method.name, returned)
        _declare_assigned(method, owner, scope)


def _declare_assigned(method: Method, owner: str, scope: Scope) -> None:
    """Notes the attributes that a method gives its object."""
    if not method.args.args:
        return
    self_name = method.args.args[0].arg
    inner = scope.function(method, owner=owner, within=self_name)
    for node in ast.walk(method):
        match node:
            case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id=name), attr=attribute)) if name == self_name:
                scope.facts.declare_attribute(owner, attribute, inner.annotated(node.annotation))
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    if _is_attribute_of(target, self_name):
                        _declare_value(target, inner.shape_of(value), owner, scope.facts)


def _declare_value(target: ast.expr, shape: Shape | None, owner: str, facts: SourceFacts) -> None:
    """Notes a value's shape, if it has one. A value of unknown type contradicts no other."""
    assert isinstance(target, ast.Attribute)
    if shape is not None:
        facts.declare_attribute(owner, target.attr, shape)


def _is_attribute_of(target: ast.expr, name: str) -> bool:
    return isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == name


def _is_view(node: ast.expr) -> bool:
    """Says whether this is `d.keys()` or `d.items()`, of which an operator makes a set."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("keys", "items")
