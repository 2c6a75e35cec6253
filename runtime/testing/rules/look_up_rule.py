"""When a dead letter may be handled without an operator: in the turn of a probe that asks about it.

Its service has looked up that the letter has had its effect outside. So its handler need not run once more.
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.durable.turn.probe import PROBE
from runtime.protos.durable_pb2 import ProbeCommands
from runtime.store.records import Transition
from runtime.testing.rules.delivery_order import SentMail

__all__ = ["is_looked_up"]


def is_looked_up(id: bytes, transition: Transition, sent: Mapping[bytes, SentMail]) -> bool:
    """Whether a probe that this transition has handled asks about the message of this id."""
    probes = [sent.get(row.id) for row in transition.history if row.type == PROBE]
    asked = [one.envelope.body for one in probes if one is not None and one.envelope is not None]
    return any(id in ProbeCommands.FromString(body).commands for body in asked)
