"""The results of all hunts together, for people and for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.proof.mutants.hunt import Hunt
from tests.proof.mutants.registry import MUTANTS

__all__ = ["Report"]


@dataclass(slots=True)
class Report:
    """The hunts that have ended."""

    hunts: list[Hunt] = field(default_factory=list)

    def add(self, hunt: Hunt) -> None:
        self.hunts.append(hunt)

    @property
    def found(self) -> list[Hunt]:
        return [one for one in self.hunts if one.found]

    @property
    def missed(self) -> list[Hunt]:
        """Hunts for mutants that have to be found and were not."""
        return [one for one in self.hunts if not one.found and not MUTANTS[one.name].unseen]

    @property
    def unclean(self) -> list[Hunt]:
        """Hunts whose seed or saga breaks a promise without the mutant too: product or harness has a bug."""
        return [one for one in self.hunts if one.control]

    @property
    def holds(self) -> bool:
        return not self.missed and not self.unclean

    def as_object(self) -> dict[str, object]:
        """Ready for JSON. For the explorer, `seeds_to_find` counts sagas, and `seed` is the place in its list."""
        return {
            "planted": len(self.hunts),
            "found": len(self.found),
            "found_share": round(len(self.found) / max(len(self.hunts), 1), 4),
            "seeds_to_find": {one.name: one.seeds if one.found else None for one in self.hunts},
            "seed": {one.name: one.seed for one in self.found},
            "workload": {one.name: one.workload for one in self.found},
            "invariants": {one.name: list(one.invariants) for one in self.found},
            "explained": {one.name: MUTANTS[one.name].excuse for one in self.hunts if MUTANTS[one.name].unseen},
            "control": {one.name: list(one.control) for one in self.unclean},
        }

    def lines(self) -> Iterable[str]:
        """For people."""
        for one in self.hunts:
            where = f"{one.name:36} {one.counts} {one.seed} of {one.workload}"
            if one.found:
                yield f"{where}: {one.invariants[0]}: {one.what}"
            elif one.control:
                yield f"{where} is not clean without it: {one.control[0]}"
            else:
                why = MUTANTS[one.name].excuse
                yield f"{one.name:36} not found within {one.seeds} {one.counts}s{': ' if why else ''}{why}"
        yield f"{len(self.found)} of {len(self.hunts)} planted bugs found"
