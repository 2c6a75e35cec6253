"""An instance run once more over what its history kept: its record before and after each message.

    KeptMessage ──run_again──▶ SagaBehaviour ──▶ Replayed

The interpreter has no clock, no chance and no I/O: the same messages at the same instants give the same records, and
commands with the same ids. So a history needs no states. What its turns sent proves that a replay is right.
"""

from __future__ import annotations

from itertools import count

from google.protobuf.message import Message

from runtime.durable.behaviour import Decision, Delivery
from runtime.envelope import Envelope, message_id
from runtime.errors import AmendsError
from runtime.protos.durable_pb2 import Caused
from runtime.protos.saga_pb2 import SagaRecord
from runtime.record import record
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.node_bounds import NodeBounds
from runtime.store.records import Outcome

__all__ = ["KeptMessage", "Replayed", "run_again"]


@record(frozen=True, slots=True)
class KeptMessage:
    """A message that an instance was given, and what came of it then, as its history tells."""

    message: Message
    envelope: Envelope
    at_s: float
    outcome: Outcome
    caused: tuple[Caused, ...]


@record(frozen=True, slots=True)
class Replayed:
    """One message of a replay."""

    before: SagaRecord
    after: SagaRecord
    decision: Decision
    difference: str  # what is not as the history tells it; empty when nothing is


def run_again(behaviour: SagaBehaviour, before: SagaRecord, kept: KeptMessage, bounds: NodeBounds) -> Replayed:
    """Give a message to an instance that stands at `before`, which stays as it is. Raises nothing of the author's."""
    after, given, positions = SagaRecord(), kept.envelope, count(1)
    after.CopyFrom(before)

    def next_id(destination: str, content: bytes) -> bytes:
        return message_id(given.sent_at_s, given.id, next(positions), destination, content)

    delivery = Delivery(
        given,
        kept.message,
        kept.at_s,
        0,
        0,
        next_id,
        body_bytes_max=bounds.message_bytes_max,
        state_bytes_max=bounds.state_bytes_max,
        unreached=bounds.unreached,
    )
    try:
        decision = behaviour.decide(after, delivery)
    except AmendsError as error:
        return Replayed(before, before, Decision(), str(error))
    return Replayed(before, after, decision, _difference(kept, decision))


def _difference(kept: KeptMessage, decision: Decision) -> str:
    sent = {one.id for one in kept.caused}
    for one in decision.outgoing:
        if one.id and one.id not in sent:
            return f"it would send another {one.message.DESCRIPTOR.full_name} than it sent then, or sent none"
    types = {one.message.DESCRIPTOR.full_name for one in decision.outgoing}
    for caused in kept.caused:
        if caused.type not in types:
            return f"it sent {caused.type} to {caused.address} then, and would not now"
    then = Outcome.HANDLED if kept.outcome is Outcome.FIRED else kept.outcome
    return "" if decision.outcome is then else f"its message was {then} then, and would be {decision.outcome} now"
