"""Chooses the files to read: those of paths, or those with a catalogue's code.

    lint_paths("runtime", "actors")        every file there
    lint_catalogue(catalogue())            modules of its services, sagas and choreographies, and what these import

It only reads the source, and neither imports nor runs it.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import runtime
from runtime.errors import InvalidDefinition
from runtime.saga.catalogue import Catalogue
from runtime.saga.step import Step
from runtime.syntax import syntax_tree
from runtime.testing.determinism.facts import SourceFacts
from runtime.testing.determinism.findings import Remarks, ReplayFinding
from runtime.testing.determinism.inference import declare
from runtime.testing.determinism.names import ImportedNames
from runtime.testing.determinism.reading import Reading, Source

__all__ = ["LEFT_OUT", "Linted", "check_catalogue", "lint_catalogue", "lint_paths"]

LEFT_OUT = {
    "adapters.py": "the ports on real clocks and randomness, which a simulation replaces",
    "config.py": "settings are read from the environment once, when a process starts",
    "store/postgresql/notes.py": "tells a real server while the loop stands still; a simulated node has another store",
    "store/sqlite/lock.py": "tells other processes who holds the file; a simulated node has another store",
    "store/sqlite/worker.py": "the thread that waits for a real disk; a simulated node has another store",
    "testing/commands/spread.py": "hands whole runs to other processes, and no run has a part in two of them",
    "testing/processes/": "waits for real processes in real time",
}
"""Files of the runtime that are not read, each with the reason."""

_GENERATED = "_pb2"


@dataclass(frozen=True, slots=True)
class Linted:
    """What was read, and what was found in it."""

    files: tuple[str, ...]
    left_out: dict[str, str]  # The reason for each path.
    findings: tuple[ReplayFinding, ...]


def lint_paths(*paths: Path) -> Linted:
    """Lints every Python file of these files and folders. Raises InvalidDefinition for a file that is no Python."""
    every = dict.fromkeys(file for path in paths for file in _files(path))
    left_out = {_shown(file): reason for file in every if (reason := _left_out(file))}
    read = [file for file in every if not _left_out(file)]
    return Linted(tuple(map(_shown, read)), left_out, _lint(read))


def lint_catalogue(catalogue: Catalogue) -> Linted:
    """Lints the modules with a catalogue's code, and those of the same package that they import."""
    read = list(_closure(_modules(catalogue)))
    return Linted(tuple(map(_shown, read)), {}, _lint(read))


def check_catalogue(catalogue: Catalogue) -> None:
    """Raises InvalidDefinition if a simulation could not repeat the code. It names each line, with the cure."""
    findings = lint_catalogue(catalogue).findings
    if findings:
        told = "\n".join(f"  {one}" for one in findings)
        raise InvalidDefinition(f"the catalogue's code could not be replayed:\n{told}")


# --- files ---


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise InvalidDefinition(f"{path} does not exist: name files and folders of Python source")
    if path.is_file():
        return [path]
    return [file for file in sorted(path.rglob("*.py")) if _GENERATED not in file.stem]


def _left_out(file: Path) -> str:
    """Why the file is not read; empty if it is."""
    home = Path(next(iter(runtime.__path__))).resolve()
    if not file.resolve().is_relative_to(home):
        return ""
    inside = file.resolve().relative_to(home).as_posix()
    reasons = (reason for one, reason in LEFT_OUT.items() if inside == one or _is_under(inside, one))
    return next(reasons, "")


def _is_under(inside: str, folder: str) -> bool:
    return folder.endswith("/") and inside.startswith(folder)


def _lint(files: Sequence[Path]) -> tuple[ReplayFinding, ...]:
    sources, facts = [_source(file) for file in files], SourceFacts()
    for source in sources:
        declare(source.tree, source.names, facts)
    return tuple(finding for source in sources for finding in sorted(_findings(source, facts)))


def _findings(source: Source, facts: SourceFacts) -> Iterator[ReplayFinding]:
    return Remarks(source.path, source.text).unexcused(Reading(source, facts).found)


def _source(file: Path) -> Source:
    try:
        text = file.read_text(encoding="utf-8")
        tree = syntax_tree(text, file=str(file))
    except (SyntaxError, UnicodeDecodeError) as error:
        raise InvalidDefinition(f"{file} is no Python source: {error}") from error
    names = ImportedNames(tree, _module_name(file), is_package=file.stem == "__init__")
    return Source(_shown(file), text, tree, names)


def _module_name(file: Path) -> str:
    """The name for an import: every folder above that is a package is a part of it."""
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.resolve().parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def _shown(file: Path) -> str:
    """The path, relative to the current folder if the file lies there."""
    here = Path.cwd()
    return file.relative_to(here).as_posix() if file.is_relative_to(here) else str(file)


# --- a catalogue's code ---


def _modules(catalogue: Catalogue) -> Iterator[str]:
    for class_ in (*catalogue.hosted, *catalogue.choreographies):
        yield from (base.__module__ for base in class_.__mro__ if not _is_ours(base.__module__))
        for function in _functions(class_):
            yield inspect.unwrap(function).__module__


def _functions(class_: type) -> Iterator[Callable[..., object]]:
    """The functions that a definition calls: of its steps, of its start and end, of its reactions."""
    for value in vars(class_).values():
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, Step):
                kept = one.on_answer if isinstance(one.on_answer, tuple) else (one.on_answer,)
                yield from (function for function in (one.do, one.undo, *kept) if inspect.isfunction(function))
            for name in ("function", "translate"):
                function = getattr(one, name, None)
                if inspect.isfunction(function):
                    yield function
            if inspect.isfunction(one):
                yield one


def _closure(first: Iterable[str]) -> Iterator[Path]:
    """The files of these modules, and of all that they import from their own package."""
    left, seen = list(first), dict[str, None]()
    while left:
        name = left.pop(0)
        file = _file_of(sys.modules.get(name))
        if name in seen or file is None:
            continue
        seen[name] = None
        yield file
        top = name.partition(".")[0]
        left += [one for one in _source(file).names.modules if one.partition(".")[0] == top]


def _file_of(module: ModuleType | None) -> Path | None:
    """The module's source, if a person wrote it and it can be found."""
    found = getattr(module, "__file__", None)
    file = Path(found) if found else None
    return file if file is not None and file.suffix == ".py" and _GENERATED not in file.stem else None


def _is_ours(module: str) -> bool:
    """Says whether a module is the runtime's, which its own build lints, or Python's, which is not linted."""
    top = module.partition(".")[0]
    return top == "runtime" or top in sys.stdlib_module_names
