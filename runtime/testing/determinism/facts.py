"""What the files of one run of the linter declare: shapes of names, of attributes, and of what functions return.

    files ──declared_in──▶ SourceFacts ◀──asks── inference

On an object of unknown class, an attribute counts as a set only if every class with an attribute of this name says so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from runtime.testing.determinism.shapes import Shape

__all__ = ["SourceFacts", "methods_of"]

Method = ast.FunctionDef | ast.AsyncFunctionDef


class SourceFacts:
    """The declarations. The first pass over all files fills them, and the second asks them."""

    def __init__(self) -> None:
        self.names: dict[str, Shape] = {}  # By module.NAME; aliases of types are among them.
        self.returns: dict[str, Shape] = {}  # By module.function.
        self.own_attributes: dict[tuple[str, str], Shape] = {}  # By (module.Class, attribute).
        self._attributes: dict[str, dict[Shape | None, None]] = {}
        self._methods: dict[str, dict[Shape | None, None]] = {}

    def declare_attribute(self, owner: str, name: str, shape: Shape | None) -> None:
        if shape is not None:
            self.own_attributes[owner, name] = shape
        self._attributes.setdefault(name, {})[shape] = None

    def declare_method(self, owner: str, name: str, shape: Shape | None) -> None:
        self.declare_attribute(owner, f"{name}()", shape)
        self._methods.setdefault(name, {})[shape] = None

    def attribute(self, name: str, owner: str = "") -> Shape | None:
        """The shape of an attribute, of the class `owner` or else of any."""
        return self.own_attributes.get((owner, name)) or _agreed(self._attributes.get(name, {}))

    def method(self, name: str, owner: str = "") -> Shape | None:
        """The shape of what a method returns."""
        return self.own_attributes.get((owner, f"{name}()")) or _agreed(self._methods.get(name, {}))


def methods_of(class_: ast.ClassDef) -> Iterator[Method]:
    return (node for node in class_.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _agreed(said: dict[Shape | None, None]) -> Shape | None:
    return next(iter(said)) if len(said) == 1 else None
