"""The public surface of the packages that users import, as text: their names, and how each is called.

python -m tests.unit.testing.door     keeps them as they are now
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType

import runtime
import runtime.actor
import runtime.testing
from runtime.testing import fixtures
from runtime.testing.expectations import Expectations
from tests.tidy.source import ROOT

__all__ = ["DOORS", "surface"]

DOORS: dict[Path, tuple[ModuleType, ...]] = {
    ROOT / "tests" / "unit" / "door.txt": (runtime,),
    ROOT / "tests" / "unit" / "testing" / "door.txt": (runtime.testing, fixtures),
    ROOT / "tests" / "unit" / "actor" / "door.txt": (runtime.actor,),
}
"""Where each surface is kept, and of which modules it is."""
_WITHOUT_A_DOOR = (Expectations,)


def surface(modules: tuple[ModuleType, ...]) -> str:
    """A line for each name, and for each public method of its own, or of a base that has no door."""
    return "".join(f"{line}\n" for module in modules for line in _of(module))


def _of(module: ModuleType) -> Iterator[str]:
    for name in module.__all__:
        yield from _named(f"{module.__name__}.{name}", getattr(module, name))


def _named(name: str, value: object) -> Iterator[str]:
    if not inspect.isclass(value):
        yield f"{name}{_signature(value) if inspect.isfunction(value) else ''}"
        return
    yield f"class {name}"
    made_for_it = is_dataclass(value) or getattr(value, "_is_protocol", False)  # its __init__ is nobody's decision
    if is_dataclass(value):
        yield from (f"    {field.name}: {field.type}" for field in fields(value) if field.init)
    for attribute, member in sorted({**_of_bases(value), **vars(value)}.items()):
        shown = attribute == "__init__" and not made_for_it
        member = member.__func__ if isinstance(member, classmethod) else member
        options = attribute == "__init_subclass__" and inspect.isfunction(member)
        if inspect.isfunction(member) and (shown or options or not attribute.startswith("_")):
            yield f"    {attribute}{_signature(member)}"
        elif isinstance(member, property):
            yield f"    {attribute}: property"


def _of_bases(value: type) -> dict[str, object]:
    """Public members that a class has from a base which nobody imports."""
    bases = [base for base in value.__mro__[1:] if base in _WITHOUT_A_DOOR]
    return {name: member for base in bases for name, member in vars(base).items() if not name.startswith("_")}


def _signature(value: Callable[..., object]) -> str:
    text = str(inspect.signature(value)).replace("'", "")  # annotations are texts
    return re.sub(r"<function (\w+) at \w+>", r"\1", text)


if __name__ == "__main__":
    for kept, modules in DOORS.items():
        kept.write_text(surface(modules), encoding="utf-8")
        print(f"kept {kept.relative_to(ROOT)}")  # noqa: T201 # a command of its own
