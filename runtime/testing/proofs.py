"""Writes what runs have proven into a file, which `amends admin proofs add` puts into a store.

    found = explore(BookTrip)
    write_proofs("trip.proofs.json", found)     what a run broke is a proof, too: write before you check
    found.check()

Each proof is made by the result of the run, from what that run has counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from runtime.errors import InvalidSettings
from runtime.operate.proofs.proof import Proof
from runtime.operate.proofs.proof_file import text_of

__all__ = ["Begun", "Proving", "write_proofs"]


class Proving(Protocol):
    """The result of a run: an Exploration or a SeedBatch."""

    def proofs(self) -> Sequence[Proof]:
        """A proof for each definition that the run was about."""
        ...


def write_proofs(path: str | Path, *results: Proving) -> None:
    """Writes the proofs of these results into a file, and replaces it.

    Raises InvalidMessage for more proofs than a file may have, and for none: of a batch whose runs began no saga.
    Raises InvalidSettings if the file cannot be written.
    """
    text = text_of([proof for result in results for proof in result.proofs()])
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidSettings(
            f"the proofs cannot be written to {path}: {error.strerror or error}; name a file in a folder that is "
            "there and may be written"
        ) from error


@dataclass(slots=True)
class Begun:
    """How many instances of each definition were begun, over many runs. Keys are (kind, version)."""

    instances: Counter[tuple[str, str]] = field(default_factory=Counter)
    runs: Counter[tuple[str, str]] = field(default_factory=Counter)  # those with one instance at least

    def add(self, begun: Mapping[tuple[str, str], int]) -> None:
        self.instances.update(begun)
        self.runs.update(dict.fromkeys(begun, 1))
