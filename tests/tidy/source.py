"""The project's own files, as the tidy tests read them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from runtime.syntax import syntax_tree

ROOT = Path(__file__).resolve().parents[2]
CODE = ("runtime", "actors")  # what the house rules hold for in full
AROUND = ("tests", "bench", "examples", "deploy")
_TEXT = {".py", ".md", ".toml", ".proto", ".sql", ".txt", ".yaml", ".service", ".env", ""}


def modules(*folders: str) -> list[Path]:
    """Python files of these folders, without what protoc generated."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "_pb2" not in path.name]


def texts() -> Iterator[Path]:
    """Every file that people write."""
    folders = (*CODE, *AROUND, "protos", "docs", ".ci")
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
    for path in [*paths, *sorted(path for path in ROOT.glob("*") if path.is_file())]:
        if path.name == ".git":  # of a work tree
            continue
        if path.suffix in _TEXT and "_pb2" not in path.name and "__pycache__" not in path.parts:
            yield path


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    return syntax_tree(path.read_text(encoding="utf-8"), file=str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of its body, its docstring aside."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return 0 if not body else (body[-1].end_lineno or 0) - body[0].lineno + 1


def calls(path: Path) -> Iterator[tuple[str, int]]:
    """Dotted names that are called, with their lines."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            yield _dotted(node.func), node.lineno


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Modules that are imported, with their lines."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.lineno


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attribute):
            return f"{_dotted(value)}.{attribute}"
        case _:
            return ""
