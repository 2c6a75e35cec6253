"""What a name in a module stands for. `now` is `time.monotonic` after `from time import monotonic as now`.

import, from ... import ──▶ ImportedNames ──in_full(expression)──▶ "time.monotonic", "builtins.sorted"
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator

__all__ = ["ImportedNames", "bound_in"]

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class ImportedNames:
    """The imports of one module, also those within functions. `module` is its own dotted name."""

    def __init__(self, tree: ast.Module, module: str, *, is_package: bool = False) -> None:
        self.module = module
        self._package = module if is_package else module.rpartition(".")[0]
        self._known = dict(self._imported(tree))
        self._own = dict.fromkeys(_assigned(tree))

    def in_full(self, name: str) -> str:
        """The full name of a name that no function binds: it is imported, defined here, or built in."""
        if name in self._known:
            return self._known[name]
        if name in self._own or not hasattr(builtins, name):
            return f"{self.module}.{name}"
        return f"builtins.{name}"

    @property
    def modules(self) -> tuple[str, ...]:
        """Every dotted name that was imported, and the module that it may be a part of."""
        known = self._known.values()
        return tuple(dict.fromkeys([*known, *(name.rpartition(".")[0] for name in known)]))

    def _imported(self, tree: ast.Module) -> Iterator[tuple[str, str]]:
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    yield (alias.asname, alias.name) if alias.asname else (top, top)
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield alias.asname or alias.name, f"{self._source(node)}.{alias.name}"

    def _source(self, node: ast.ImportFrom) -> str:
        """The full name of the module that is imported from."""
        if not node.level:
            return node.module or ""
        parts = self._package.split(".")
        package = ".".join(parts[: len(parts) - node.level + 1])
        return f"{package}.{node.module}" if node.module else package


def bound_in(function: Function) -> dict[str, None]:
    """The names that a function binds: its parameters, and what it assigns, loops over or catches anywhere."""
    arguments = function.args
    parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    bound = dict.fromkeys(one.arg for one in parameters if one is not None)
    for node in ast.walk(function):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] = None
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound[node.name] = None
    return bound


def _assigned(tree: ast.Module) -> Iterator[str]:
    """The names that the top level of a module defines."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        else:
            stored = [one for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
            yield from (one.id for one in stored)
