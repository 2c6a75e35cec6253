"""All planted bugs, by name."""

from __future__ import annotations

from collections.abc import Mapping

from tests.proof.mutants.awaits import AWAITS
from tests.proof.mutants.backlogs import BACKLOGS
from tests.proof.mutants.batches import BATCHED
from tests.proof.mutants.chains import CHAINS, UNIT_CHAINS, UNPOSTED
from tests.proof.mutants.children import CHILDREN
from tests.proof.mutants.delivery import DELIVERY
from tests.proof.mutants.desk import DESK
from tests.proof.mutants.forgetting import FORGETTING
from tests.proof.mutants.identity import IDENTITY
from tests.proof.mutants.leases import LEASES
from tests.proof.mutants.limits import LIMITS
from tests.proof.mutants.links import LINKS
from tests.proof.mutants.locks import LOCKS
from tests.proof.mutants.look_ups import LOOK_UPS
from tests.proof.mutants.machines import MACHINES
from tests.proof.mutants.mutant import Mutant
from tests.proof.mutants.names import NAMES, TOLD_NAMES
from tests.proof.mutants.new_histories import NEW_HISTORIES
from tests.proof.mutants.ownership import OWNERSHIP, UNIT_OWNERSHIP
from tests.proof.mutants.pauses import PAUSES
from tests.proof.mutants.placements import BESIDE, PLACEMENTS
from tests.proof.mutants.probes import PROBES
from tests.proof.mutants.reminders import REMINDERS
from tests.proof.mutants.repairs import REPAIRS
from tests.proof.mutants.retries import RETRIES
from tests.proof.mutants.sagas import SAGAS
from tests.proof.mutants.starts import STARTS
from tests.proof.mutants.store import STORE
from tests.proof.mutants.timer_acts import TIMER_ACTS
from tests.proof.mutants.timers import TIMERS
from tests.proof.mutants.tries import TRIES
from tests.proof.mutants.turns import TURNS
from tests.proof.mutants.versions import VERSIONS
from tests.proof.mutants.watches import WATCHES
from tests.proof.mutants.wholes import WHOLES

__all__ = ["MUTANTS", "ROOMS", "UNHUNTED"]

ROOMS: Mapping[str, tuple[Mutant, ...]] = {
    "commits": STORE,
    "turns": (*TURNS, *RETRIES),
    "chains of turns": CHAINS,
    "commands that were never mail": UNPOSTED,
    "timers": TIMERS,
    "delivery": DELIVERY,
    "ownership": (*OWNERSHIP, *BESIDE),
    "machines": MACHINES,
    "leases": LEASES,
    "streams at rest": LINKS,
    "small limits": LIMITS,
    "ids": IDENTITY,
    "forgetting": FORGETTING,
    "large batches": BATCHED,
    "sagas": (
        *SAGAS,
        *STARTS,
        *VERSIONS,
        *NAMES,
        *TRIES,
        *AWAITS,
        *LOCKS,
        *CHILDREN,
        *WHOLES,
        *REPAIRS,
        *PROBES,
        *LOOK_UPS,
    ),
}
"""The mutants by the part of the product that they break, in the order of the page."""

MUTANTS: Mapping[str, Mutant] = {mutant.name: mutant for room in ROOMS.values() for mutant in room}

UNHUNTED: Mapping[str, Mutant] = {
    mutant.name: mutant
    for mutant in (
        *BACKLOGS,
        *PAUSES,
        *REMINDERS,
        *TIMER_ACTS,
        *DESK,
        *NEW_HISTORIES,
        *TOLD_NAMES,
        *PLACEMENTS,
        *WATCHES,
        *UNIT_CHAINS,
        *UNIT_OWNERSHIP,
    )
}
"""Bugs in what no workload has. Nobody hunts them; each is planted for the tests that it names."""
