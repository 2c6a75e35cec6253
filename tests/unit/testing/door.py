"""The public surface of the test kit, as text: its names, and how each is called.

python -m tests.unit.testing.door     keeps it as it is now
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path

import runtime.testing
from runtime.testing import fixtures

__all__ = ["KEPT", "surface"]

KEPT = Path(__file__).with_name("door.txt")


def surface() -> str:
    """A line for each name, and for each public method of its own."""
    return "".join(f"{line}\n" for module in (runtime.testing, fixtures) for line in _of(module))


def _of(module: object) -> Iterator[str]:
    assert inspect.ismodule(module)
    for name in module.__all__:
        yield from _named(f"{module.__name__}.{name}", getattr(module, name))


def _named(name: str, value: object) -> Iterator[str]:
    if not inspect.isclass(value):
        yield f"{name}{_signature(value) if inspect.isfunction(value) else ''}"
        return
    yield f"class {name}"
    made_for_it = is_dataclass(value) or getattr(value, "_is_protocol", False)  # its __init__ is nobody's decision
    for attribute, member in sorted(vars(value).items()):
        shown = attribute == "__init__" and not made_for_it
        if inspect.isfunction(member) and (shown or not attribute.startswith("_")):
            yield f"    {attribute}{_signature(member)}"
        elif isinstance(member, property):
            yield f"    {attribute}: property"


def _signature(value: Callable[..., object]) -> str:
    return str(inspect.signature(value)).replace("'", "")  # annotations are texts


if __name__ == "__main__":
    KEPT.write_text(surface(), encoding="utf-8")
    print(f"kept {KEPT.name}")  # noqa: T201 # a command of its own
