"""All planted bugs, by name."""

from __future__ import annotations

from collections.abc import Mapping

from runtime.testing.mutants.batches import BATCHED
from runtime.testing.mutants.delivery import DELIVERY
from runtime.testing.mutants.forgetting import FORGETTING
from runtime.testing.mutants.identity import IDENTITY
from runtime.testing.mutants.leases import LEASES
from runtime.testing.mutants.limits import LIMITS
from runtime.testing.mutants.links import LINKS
from runtime.testing.mutants.machines import MACHINES
from runtime.testing.mutants.mutant import Mutant
from runtime.testing.mutants.ownership import OWNERSHIP
from runtime.testing.mutants.sagas import SAGAS
from runtime.testing.mutants.store import STORE
from runtime.testing.mutants.timers import TIMERS
from runtime.testing.mutants.tries import TRIES
from runtime.testing.mutants.turns import TURNS

__all__ = ["MUTANTS", "ROOMS"]

ROOMS: Mapping[str, tuple[Mutant, ...]] = {
    "commits": STORE,
    "turns": TURNS,
    "timers": TIMERS,
    "delivery": DELIVERY,
    "ownership": OWNERSHIP,
    "machines": MACHINES,
    "leases": LEASES,
    "streams at rest": LINKS,
    "small limits": LIMITS,
    "ids": IDENTITY,
    "forgetting": FORGETTING,
    "large batches": BATCHED,
    "sagas": (*SAGAS, *TRIES),
}
"""By what they break, in the order of the page."""

MUTANTS: Mapping[str, Mutant] = {mutant.name: mutant for room in ROOMS.values() for mutant in room}
