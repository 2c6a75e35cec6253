"""What all files of one run of the linter declare: shapes of names, of attributes, and of what functions give back.

    files ──declared_in──▶ SourceFacts ◀──asks── inference

An attribute that is met on something unknown is taken for a set only if every class that has one of this name says so.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from runtime.testing.determinism.shapes import Shape

__all__ = ["SourceFacts", "methods_of"]

Method = ast.FunctionDef | ast.AsyncFunctionDef


class SourceFacts:
    """Filled by one pass over all files, and asked in the next."""

    def __init__(self) -> None:
        self.names: dict[str, Shape] = {}  # module.NAME, and aliases of types
        self.returns: dict[str, Shape] = {}  # module.function
        self.own_attributes: dict[tuple[str, str], Shape] = {}  # (module.Class, attribute)
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
        """Of an object of the class `owner`, or of any."""
        return self.own_attributes.get((owner, name)) or _agreed(self._attributes.get(name, {}))

    def method(self, name: str, owner: str = "") -> Shape | None:
        """Of what a method gives back."""
        return self.own_attributes.get((owner, f"{name}()")) or _agreed(self._methods.get(name, {}))


def methods_of(class_: ast.ClassDef) -> Iterator[Method]:
    return (node for node in class_.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def _agreed(said: dict[Shape | None, None]) -> Shape | None:
    return next(iter(said)) if len(said) == 1 else None
