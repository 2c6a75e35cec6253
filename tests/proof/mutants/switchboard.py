"""Plants a bug in the running product, and always removes it again.

    with planted(mutant): simulate_seed(...)

A function keeps its identity and gets other code, so that modules that imported it, bound methods and tables run the
bug too. A call that is already on the stack goes on with the old code, so plant before a run begins.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from operator import attrgetter
from types import CodeType, FunctionType

from runtime.errors import AmendsError
from tests.proof.mutants.mutant import Edit, Mutant, Target

__all__ = ["MutantRotten", "planted"]


class MutantRotten(AmendsError):
    """A mutant no longer fits the product: change the mutant, or remove it if its bug is no longer possible."""


@contextmanager
def planted(mutant: Mutant) -> Iterator[None]:
    """Run the product with this bug. Raises MutantRotten, and then changes nothing."""
    changed = {function: _changed(mutant, function, edits) for function, edits in _by_function(mutant).items()}
    sound = {function: function.__code__ for function in changed}
    try:
        for function, code in changed.items():
            function.__code__ = code
        yield
    finally:
        for function, code in sound.items():
            function.__code__ = code


def _by_function(mutant: Mutant) -> dict[FunctionType, list[Edit]]:
    found: dict[FunctionType, list[Edit]] = {}
    for edit in mutant.edits:
        found.setdefault(_function(mutant, edit.target), []).append(edit)
    return found


def _function(mutant: Mutant, target: Target) -> FunctionType:
    found = _named(mutant, target) if isinstance(target, str) else target
    inner = found.fget if isinstance(found, property) else inspect.unwrap(found)
    if not isinstance(inner, FunctionType):
        raise MutantRotten(f"{mutant.name}: {target!r} is no function written in Python")
    return inner


def _named(mutant: Mutant, target: str) -> Callable[..., object] | property:
    module, _, path = target.partition(":")
    try:
        found: Callable[..., object] | property = attrgetter(path)(import_module(module))
    except (ImportError, AttributeError) as error:
        raise MutantRotten(f"{mutant.name}: there is no {target}: {error}") from error
    return found


def _changed(mutant: Mutant, function: FunctionType, edits: Sequence[Edit]) -> CodeType:
    """The function's code with all edits. Line numbers are those of the file, unless an edit adds lines."""
    lines, first = inspect.getsourcelines(function)
    text = textwrap.dedent("".join(lines))
    where = f"{mutant.name}: {function.__module__}.{function.__qualname__}"
    for edit in edits:
        count = text.count(edit.old)
        if count != 1:
            raise MutantRotten(
                f"{where} has {count} times {edit.old!r}, not once: the mutant has to follow the product"
            )
        text = text.replace(edit.old, edit.new)
    return _compiled(where, "\n" * (first - 1) + text, function)


def _compiled(where: str, text: str, function: FunctionType) -> CodeType:
    sound = function.__code__
    try:
        module = compile(text, sound.co_filename, "exec")  # It uses the annotations of this file's own __future__.
    except SyntaxError as error:
        raise MutantRotten(f"{where} is no Python once it is edited: {error}") from error
    made = [one for one in module.co_consts if isinstance(one, CodeType) and one.co_name == function.__name__]
    if len(made) != 1 or made[0].co_freevars != sound.co_freevars or _parameters(made[0]) != _parameters(sound):
        raise MutantRotten(f"{where} no longer takes the place of the sound one: its parameters or closure differ")
    return made[0].replace(co_qualname=sound.co_qualname)


def _parameters(code: CodeType) -> tuple[int, int, tuple[str, ...]]:
    count = code.co_argcount + code.co_kwonlyargcount
    return code.co_argcount, code.co_kwonlyargcount, code.co_varnames[:count]
