"""Mutants of backlogs: how much of what waits is taken up at once, and which new commands are refused meanwhile."""

from __future__ import annotations

from runtime.durable.node_client import NodeClient
from runtime.durable.region.sweeper import Sweeper
from runtime.durable.residence.backlog import BacklogReader
from runtime.durable.residence.residents import Residents
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["BACKLOGS"]

_UNSEEN = "Simulated nodes have little that waits"
_RAMP, _HEADROOM = "tests/unit/durable/test_ramp.py", "tests/unit/durable/test_headroom.py"

BACKLOGS = (
    Mutant(
        "no-room-and-forgotten",
        "Mail for which a sweep has no room is forgotten, so that a newer push overtakes it.",
        (Edit(Residents.deliver_row, "self.overflows.note()", "pass"),),
        unseen=_UNSEEN,
        held_by=_RAMP,
    ),
    Mutant(
        "mail-of-all-read-at-once",
        "The mail of any number of actors is read at once.",
        (Edit(BacklogReader._begin_readings, "self._to_read and self._readings < _READINGS_MAX", "self._to_read"),),
        unseen=_UNSEEN,
        held_by=_RAMP,
    ),
    Mutant(
        "known-command-refused",
        "A command that was accepted before is refused while too much waits.",
        (Edit(NodeClient._check, "or not await self._is_accepted(envelope)", "or True"),),
        unseen=_UNSEEN,
        held_by=_HEADROOM,
    ),
    Mutant(
        "one-failing-actor-closes-the-door",
        "Mail that waits behind a retry counts as work that this node could do.",
        (Edit(Sweeper._able, "not residents.is_blocked(row.address)", "True"),),
        unseen=_UNSEEN,
        held_by=_HEADROOM,
    ),
)
