"""Python source as a tree, whatever the interpreter does in between."""

from __future__ import annotations

import ast
import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, overload

__all__ = ["syntax_tree"]


@overload
def syntax_tree(text: str, *, file: str = ..., mode: Literal["exec"] = ...) -> ast.Module: ...
@overload
def syntax_tree(text: str, *, file: str = ..., mode: Literal["eval"]) -> ast.Expression: ...
def syntax_tree(text: str, *, file: str = "<text>", mode: Literal["exec", "eval"] = "exec") -> ast.AST:
    """The tree of a module, or of one expression (`mode="eval"`). `file` is what errors name. Raises SyntaxError.

    Nothing is collected meanwhile. CPython 3.11 counts its depth in one place for all calls: garbage whose end reads
    source too, such as a failed task that is logged with its stack, makes the call around it a SystemError.
    """
    with _uncollected():
        return ast.parse(text, filename=file, mode=mode)


@contextmanager
def _uncollected() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
