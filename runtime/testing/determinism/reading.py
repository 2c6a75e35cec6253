"""Reads one module for what two runs of one seed may do differently.

    Source ──▶ Reading (an AST visitor, with a Scope for each function) ──▶ findings, each with the lines it spans

A set may be made, changed, compared and searched. No code may go through it in its own order, unless the result has no
order either, as in sorted(s), len(s), any(... for x in s), {f(x) for x in s}.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from runtime.testing.determinism.effects import EFFECT, is_outside, says_none, waits_for_own
from runtime.testing.determinism.facts import SourceFacts
from runtime.testing.determinism.findings import ReplayFinding, Span
from runtime.testing.determinism.inference import Scope
from runtime.testing.determinism.names import Function, ImportedNames
from runtime.testing.determinism.orderings import BLIND, IN_ORDER, IN_ORDER_METHODS, PASSES_ON, WRITES
from runtime.testing.determinism.rules import IN_FUNCTIONS_ONLY, ORDER, THREAD_METHODS, UNSEEDED, ReplayRule, rule_of
from runtime.testing.determinism.shapes import SET

__all__ = ["Reading", "Source"]

_Placed = ast.expr | ast.stmt
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


@dataclass(frozen=True, slots=True)
class Source:
    """One module: its path in reports, its text, its tree and its names."""

    path: str
    text: str
    tree: ast.Module
    names: ImportedNames


class Reading(ast.NodeVisitor):
    """Visits a module once. `found` has the findings, with the lines on which a remark would excuse each."""

    def __init__(self, source: Source, facts: SourceFacts) -> None:
        self.found: dict[tuple[ReplayFinding, Span], None] = {}
        self._path = source.path
        self._scope = Scope(facts, source.names)
        self._depth = 0  # So many functions are around this place.
        self._in_class = False  # The place lies directly in the body of a class.
        self._hashing = False  # The place lies within __hash__, where hash() belongs.
        self._pure = False  # The place lies in a class that says that it has no effects.
        self.visit(source.tree)

    # --- functions and classes ---

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        defaults = [*node.args.defaults, *(one for one in node.args.kw_defaults if one is not None)]
        self._all([*node.decorator_list, *defaults])  # Annotations are left out, since they only name types.
        self._function(node, node.body, hashing=node.name == "__hash__")

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._function(node, [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._all([*node.decorator_list, *node.bases, *node.keywords])
        outer, was_in_class, was_pure = self._scope, self._in_class, self._pure
        self._pure = says_none(node)
        self._scope = Scope(outer.facts, outer.names, owner=f"{outer.names.module}.{node.name}", around=outer)
        self._in_class = True
        self._all(node.body)
        self._scope, self._in_class, self._pure = outer, was_in_class, was_pure

    def _function(self, node: Function, body: Sequence[ast.AST], *, hashing: bool = False) -> None:
        outer = (self._scope, self._hashing, self._in_class)
        first = node.args.args[0].arg if self._in_class and node.args.args else ""
        self._scope, self._hashing, self._in_class = self._scope.function(node, within=first), hashing, False
        self._depth += 1
        self._all(body)
        self._depth -= 1
        self._scope, self._hashing, self._in_class = outer

    # --- statements ---

    def visit_Assign(self, node: ast.Assign) -> None:
        self._all([node.value, *node.targets])
        for target in node.targets:
            if isinstance(target, ast.Tuple | ast.List):
                self._in_order(node.value, "is unpacked", node)
            self._scope.assign(target, self._scope.shape_of(node.value))

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
        self._scope.assign(node.target, self._scope.annotated(node.annotation))

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self._scope.assign(node.target, self._scope.shape_of(node.value))

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._in_order(node.iter, "is looped over", node.target)
        self._scope.loop(node.target, node.iter)
        self.visit(node.target)
        self._branches(node.body, node.orelse)
        self._branches(node.body, ())  # The second round sees what the first one assigned.

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self.visit_For(node)

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._branches(node.body, node.orelse)
        self._branches(node.body, ())

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches(node.body, node.orelse)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> None:
        self.visit(node.value)
        self._in_order(node.value, "is yielded from", node)

    def _branches(self, *bodies: Iterable[ast.AST]) -> None:
        """Visits each body from the same start. A name counts as a set afterwards if it is one after any body."""
        before = dict(self._scope.shapes)
        after: dict[str, None] = {}
        for body in bodies:
            self._scope.shapes = dict(before)
            self._all(body)
            after.update({name: None for name, shape in self._scope.shapes.items() if shape and shape.is_set})
            ended = self._scope.shapes
        self._scope.shapes = {**before, **ended, **dict.fromkeys(after, SET)}

    # --- expressions ---

    def visit_Await(self, node: ast.Await) -> None:
        self.visit(node.value)
        if self._pure and not waits_for_own(node):
            self._note(node, EFFECT, f"{ast.unparse(node)} waits {EFFECT.what}")

    def visit_Call(self, node: ast.Call) -> None:
        self.visit(node.func)
        name = self._scope.in_full(node.func)
        has_key = any(keyword.arg == "key" for keyword in node.keywords)
        if self._is_blind(node, name) and not has_key:
            for argument in node.args:
                self._blindly(argument)
        else:
            self._all(node.args)
            if has_key and name in BLIND and node.args:
                self._in_order(node.args[0], "is compared by a key, which may leave ties in its order", node)
            elif name in IN_ORDER or self._is_ordering_method(node):
                for argument in node.args:
                    self._in_order(argument, f"is given to {_last_name(node.func)}()", node)
        self._all(node.keywords)
        if name in UNSEEDED and not node.args and not node.keywords:
            self._note(node, UNSEEDED[name], f"{name}() without a seed {UNSEEDED[name].what}")
        self._look_at_method(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._comprehension(node, blind=True)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.visit(node.left)
        for operator, other in zip(node.ops, node.comparators, strict=True):
            if isinstance(operator, ast.In | ast.NotIn):
                self._blindly(other)
            else:
                self.visit(other)

    def visit_Set(self, node: ast.Set) -> None:
        for one in node.elts:
            self._blindly(one)

    def visit_Starred(self, node: ast.Starred) -> None:
        self.visit(node.value)
        if isinstance(node.ctx, ast.Load):
            self._in_order(node.value, "is unpacked", node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> None:
        self.visit(node.value)
        self._in_order(node.value, "is written into a text", node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.generic_visit(node)
        if isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant | ast.JoinedStr):
            for one in node.right.elts if isinstance(node.right, ast.Tuple) else [node.right]:
                self._in_order(one, "is written into a text", node)

    def visit_Expr(self, node: ast.Expr) -> None:
        """Visits a statement. One that only writes to the environment reads nothing."""
        match node.value:
            case ast.Call(func=ast.Attribute(value=whole, attr=name), args=arguments) if name in WRITES:
                if self._scope.in_full(whole) == "os.environ":
                    self._all(arguments)
                    return
        self.visit(node.value)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.slice)
        if isinstance(node.ctx, ast.Load) or self._scope.in_full(node.value) != "os.environ":
            self.visit(node.value)

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._look_up(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if not self._look_up(node):
            self.visit(node.value)

    def _comprehension(self, node: Comprehension, *, blind: bool = False) -> None:
        for part in node.generators:
            self.visit(part.iter)
            if not blind:
                self._in_order(part.iter, "is looped over", node)
            self._scope.loop(part.target, part.iter)
            self._all(part.ifs)
        self._all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])

    def _blindly(self, node: ast.expr) -> None:
        """Visits an argument of something that does not depend on the order."""
        match node:
            case ast.GeneratorExp() | ast.ListComp() | ast.SetComp():
                self._comprehension(node, blind=True)
            case ast.Starred(value=value):
                self._blindly(value)
            case ast.Call(args=arguments, keywords=[]) if self._scope.in_full(node.func) in PASSES_ON:
                for argument in arguments:
                    self._blindly(argument)
            case _:
                self.visit(node)

    # --- judging ---

    def _is_blind(self, node: ast.Call, name: str) -> bool:
        if name in BLIND:
            return True
        return isinstance(node.func, ast.Attribute) and self._is_set(node.func.value)

    def _is_ordering_method(self, node: ast.Call) -> bool:
        return isinstance(node.func, ast.Attribute) and node.func.attr in IN_ORDER_METHODS

    def _look_at_method(self, node: ast.Call) -> None:
        if not isinstance(node.func, ast.Attribute):
            return
        if node.func.attr == "pop" and not node.args and self._is_set(node.func.value):
            self._note(node, ORDER, f"{ast.unparse(node)} takes any member")
        elif node.func.attr in THREAD_METHODS:
            self._note(node, THREAD_METHODS[node.func.attr], f"{ast.unparse(node.func)}()")

    def _look_up(self, node: ast.Name | ast.Attribute) -> bool:
        """Reports a name that must not be used. Gives True if it is one."""
        name = self._scope.in_full(node)
        rule = rule_of(name) if name else None
        if rule is None and self._pure and self._depth and is_outside(name):
            self._note(node, EFFECT, f"{name.removeprefix('builtins.')} reaches outside {EFFECT.what}")
            return True
        if rule is None or (rule in IN_FUNCTIONS_ONLY and not self._depth):
            return False
        if not (name == "builtins.hash" and self._hashing):
            self._note(node, rule, f"{name.removeprefix('builtins.')} {rule.what}")
        return True

    def _in_order(self, node: ast.expr, how: str, within: _Placed) -> None:
        """Reports a set whose members are taken one by one. A remark anywhere on `within` excuses it."""
        if self._is_set(node):
            self._note(node, ORDER, f"{ast.unparse(node)} {how}, and {ORDER.what}", within)

    def _is_set(self, node: ast.expr) -> bool:
        shape = self._scope.shape_of(node)
        return shape is not None and shape.is_set

    def _note(self, node: ast.expr, rule: ReplayRule, what: str, within: _Placed | None = None) -> None:
        finding = ReplayFinding(self._path, node.lineno, rule.name, what, rule.cure)
        lines = [one for part in (node, within or node) for one in (part.lineno, part.end_lineno or part.lineno)]
        self.found[finding, (min(lines), max(lines))] = None

    def _all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)


def _last_name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]
