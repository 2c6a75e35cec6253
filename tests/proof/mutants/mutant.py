"""A planted bug: a few changed words in the product, as a tired author might have written them.

    Mutant ──its edits──▶ switchboard.planted ──the product's functions run changed code──▶ simulation, or explorer

The product knows nothing of this. A mutant names the very functions, so that the type checker
notices a rename. It also names the words that it replaces, so that it cannot be planted where these words have changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Edit", "Mutant", "Target", "planted_in"]

Target = Callable[..., Any] | property | str
"""A function of the product, a method, or a property for its getter; MODULE:NAME where an import is not allowed."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`new` takes the place of `old`, which stands exactly once in the dedented source of `target`."""

    target: Target
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug."""

    name: str  # In lower case, with hyphens between the words.
    breaks: str  # One sentence that says what the bug does.
    edits: tuple[Edit, ...]
    workload: str = "orders"  # The workload, or the explorer, that is likeliest to show it.
    unseen: str = ""  # Why no seed or saga is expected to show it; empty if it has to be found.
    held_by: str = ""  # The tests that fail with an unseen mutant, as arguments of pytest.

    @property
    def excuse(self) -> str:
        """Why it need not be found, and the test that finds it all the same; empty if it has to be found."""
        return f"{self.unseen}; `{self.held_by}` holds it" if self.unseen else ""


def planted_in(name: str, breaks: str, target: Target, old: str, new: str) -> Mutant:
    """A bug of one edit, for the test of one claim."""
    return Mutant(name, breaks, (Edit(target, old, new),))
