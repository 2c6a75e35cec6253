"""The house rules, executed: what a linter of everyone's rules does not know."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from runtime.testing.determinism.sources import lint_paths
from tests.tidy.source import AROUND, CODE, ROOT, calls, functions, imports, length, modules, name, texts, tree

LINES_MAX = 300
FUNCTION_LINES_MAX = 40
FUNCTION_LINES_MAX_AROUND = 60  # a scenario told in one go
ADAPTERS = ("runtime/adapters.py", "runtime/testing/process")  # the machine's clock, and real processes in real time

BANNED_CALLS = {
    "eval": "runs data",
    "exec": "runs data",
    "__import__": "imports by a name found in data",
    "importlib.import_module": "imports by a name found in data",
    "asyncio.get_event_loop": "use asyncio.get_running_loop or the ports",
    "loop.create_task": "use the Tasks port",
    "print": "report a fact, or use click.echo",
}
ALLOWED_CALLS = (
    ("runtime/admin/session.py", "importlib.import_module"),  # names from the operator's command line
    ("runtime/object_reference.py", "importlib.import_module"),  # from a command line, or what a project says of itself
    ("runtime/launching.py", "print"),  # before there is a log
)
BANNED_IMPORTS = ("pickle", "marshal", "shelve")
VAGUE_NAMES = ("util", "utils", "helper", "helpers", "manager", "impl", "misc", "common", "base")

FORBIDDEN_TEXT = {
    "the number of an issue": re.compile(r"\b(issue|fixes|closes|ticket)s?\s+#?\d+", re.IGNORECASE),
    "a path of one machine": re.compile(r"(?<![\w.:/\]}])/(home|root|work|Users)/\w"),
    "a package registry's host": re.compile(r"\bpypi\.|pythonhosted\.|\bregistry\.(npmjs|yarnpkg)|conda\.anaconda"),
    "something left undone": re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"),
}
_BROAD = re.compile(r"except (Exception|BaseException)\b")
_IGNORE = re.compile(r"#\s*(noqa|type:\s*ignore)\b")
_REASONED = re.compile(r"#\s*(noqa:\s*[A-Z]+\d+\s*(#|--?)\s*\w|type:\s*ignore\[)")


@pytest.mark.parametrize("path", modules(*CODE), ids=name)
def test_a_file_is_one_noun_of_readable_size(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LINES_MAX, f"{name(path)} has {lines} lines: it is two rooms"
    assert path.stem not in VAGUE_NAMES, f"{name(path)}: name it by its noun"


@pytest.mark.parametrize("path", modules(*CODE, *AROUND), ids=name)
def test_functions_are_short(path: Path) -> None:
    limit = FUNCTION_LINES_MAX if name(path).startswith(CODE) else FUNCTION_LINES_MAX_AROUND
    long = [f"{one.name}:{one.lineno} has {length(one)}" for one in functions(path) if length(one) > limit]
    assert not long, f"{name(path)}: over {limit} lines: {', '.join(long)}"


@pytest.mark.parametrize("path", modules(*CODE, "bench", "examples"), ids=name)
def test_a_module_says_what_it_is(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert not source.strip() or ast.get_docstring(tree(path)), f"{name(path)} has no docstring"


@pytest.mark.parametrize("path", modules(*CODE), ids=name)
def test_nothing_banned_is_called(path: Path) -> None:
    if name(path).startswith(ADAPTERS):
        return
    found = [
        f"line {line}: {called}() {BANNED_CALLS[called]}"
        for called, line in calls(path)
        if called in BANNED_CALLS
        and not any(called == one and name(path).startswith(where) for where, one in ALLOWED_CALLS)
    ]
    assert not found, f"{name(path)}: {'; '.join(found)}"


@pytest.mark.parametrize("path", modules(*CODE), ids=name)
def test_nothing_banned_is_imported(path: Path) -> None:
    found = [f"line {line}: {module}" for module, line in imports(path) if module.partition(".")[0] in BANNED_IMPORTS]
    assert not found, f"{name(path)}: contracts are protobuf, nothing is read by {', '.join(found)}"


def test_nothing_that_a_replay_could_not_repeat_reaches_a_decision() -> None:
    """The linter that users have too; `LEFT_OUT` names the files that simulation replaces, and why."""
    linted = lint_paths(*(ROOT / folder for folder in (*CODE, "examples/trip")))
    assert not linted.findings, "\n".join(map(str, linted.findings))
    assert len(linted.files) > 100


@pytest.mark.parametrize("path", modules(*CODE), ids=name)
def test_no_state_is_shared_by_two_nodes_of_one_process(path: Path) -> None:
    """An empty container, or one that is made to grow, at the top of a module is a registry."""
    grown = [
        f"line {node.lineno}"
        for node in tree(path).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _starts_empty(node.value)
    ]
    globals_ = [f"line {node.lineno}" for node in ast.walk(tree(path)) if isinstance(node, ast.Global)]
    assert not grown + globals_, f"{name(path)}: shared by two nodes of one process: {', '.join(grown + globals_)}"


@pytest.mark.parametrize("path", modules(*CODE, "bench", "examples"), ids=name)
def test_every_exception_to_a_rule_has_its_code_and_reason(path: Path) -> None:
    bare = [
        f"line {number}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if _IGNORE.search(line) and not _REASONED.search(line)
    ]
    assert not bare, f"{name(path)}: an ignore without its code, or without a reason: {', '.join(bare)}"


@pytest.mark.parametrize("path", modules(*CODE), ids=name)
def test_broad_excepts_are_rare_and_say_why(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    bare = [
        f"line {number}"
        for number, line in enumerate(lines, 1)
        if _BROAD.search(line) and "#" not in line and not _raises_again(lines, number)
    ]
    assert not bare, f"{name(path)}: catches everything without saying why: {', '.join(bare)}"


def test_the_project_speaks_of_itself_alone() -> None:
    found = [
        f"{name(path)}: {what}: {match[0]!r}"
        for path in texts()
        if path.parent != ROOT / "tests" / "tidy"
        for what, pattern in FORBIDDEN_TEXT.items()
        for match in pattern.finditer(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not found, "\n".join(found)


def test_every_folder_of_tests_is_a_package() -> None:
    folders = {path.parent for path in modules("tests")}
    assert not [name(folder) for folder in folders if not (folder / "__init__.py").exists()]


def _starts_empty(value: ast.expr) -> bool:
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Call(func=ast.Name(id="set" | "dict" | "list" | "defaultdict" | "deque" | "OrderedDict")):
            return True
        case _:
            return False


def _raises_again(lines: list[str], number: int) -> bool:
    """Whether the except block that begins here ends by raising."""
    indent = len(lines[number - 1]) - len(lines[number - 1].lstrip())
    block = []
    for line in lines[number:]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            break
        block.append(line.strip())
    return any(line.startswith("raise") for line in block)
