"""A planted bug: the product with a few words changed in one place, as a tired author might have written it.

    Mutant ──its edits──▶ switchboard.planted ──the product's functions run changed code──▶ simulation, or explorer

The product knows nothing of this. A mutant names the very functions, so that a rename is an error of the type checker,
and the very words it replaces, so that it cannot be planted where they are no longer written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["Edit", "Mutant", "Target"]

Target = Callable[..., Any] | property | str
"""A function, a method, or a property (its getter) of the product; MODULE:NAME where the runtime must not import it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` stands once in the source of `target`, which is dedented first; `new` takes its place."""

    target: Target
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One planted bug."""

    name: str  # lower case, words joined by hyphens
    breaks: str  # one sentence: what is broken by it
    edits: tuple[Edit, ...]
    workload: str = "orders"  # that it is hunted with, or the explorer: what is likeliest to show it
    unseen: str = ""  # why no seed, or no saga, can show it, or none is expected to; empty: it has to be found
    held_by: str = ""  # of one that is unseen: the tests that fail with it, as pytest takes them

    @property
    def excuse(self) -> str:
        """Why it need not be found, and what finds it all the same; empty: it has to be found."""
        return f"{self.unseen}; `{self.held_by}` holds it" if self.unseen else ""
