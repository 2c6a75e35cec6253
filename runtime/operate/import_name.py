"""By which name a test imports the saga that was run: a variation bears the name of the saga that it varies."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

from runtime.operate.dead_letters import NotFound

__all__ = ["import_name"]


def import_name(saga: type[object], beside: Iterable[str]) -> str:
    """MODULE:NAME under which this very class is found: in its own module, or one of those `beside`.

    Raises NotFound, with the cure, where neither has it by a name: the test would run another saga than was run.
    """
    modules = dict.fromkeys((saga.__module__, *beside))
    for module in modules:
        held = vars(import_module(module))
        names = [saga.__name__, *sorted(name for name, value in held.items() if value is saga)]
        for name in names:
            if held.get(name) is saga:
                return f"{module}:{name}"
    raise NotFound(
        f"no test can import the {saga.__name__} that was run: it is a variation of that class, or was made in a "
        f"function, and no name in {' or '.join(modules)} stands for it. Give it one there, as in "
        f"SLOWER = {saga.__name__}.with_steps(...), have the catalogue host that, and export the test once more"
    )
