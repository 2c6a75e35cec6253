"""A source sends numbered messages to sinks. A sink notes a number that is missing, repeated, or out of order.

    client ──ChangeAlpha──▶ alpha (a source) ──AlphaChanged, 1 2 3 ...──▶ beta (a sink)

The order of messages between two actors shows only when the same two exchange many of them. These actors do only that.
"""

from __future__ import annotations

from runtime.durable.results import Answer
from runtime.durable.service import Service
from runtime.saga.choreography import Choreography
from runtime.saga.on import on
from tests.proof.programs import programs_pb2 as pb

__all__ = ["STREAM", "NumberSink", "NumberSource", "Stream", "counted"]

STREAM = "stream"


def counted(state: pb.ParticipantState, other: str) -> pb.Entry:
    """The entry of another actor. Its `dos` counts the messages that were sent to it, or taken from it."""
    for entry in state.entries:
        if entry.deed == other:
            return entry
    return state.entries.add(deed=other)


class NumberSource(Service[pb.ParticipantState], kind="alpha", effects="none"):
    """Sends as many messages as a command asks for, each with the next number of its stream."""

    state: pb.ParticipantState

    async def send(self, command: pb.ChangeAlpha) -> Answer[None, pb.AlphaChanged]:
        stream = counted(self.state, command.deed)
        made = []
        for _ in range(command.amount):
            stream.dos += 1
            name = f"{self.key} {stream.dos}"
            made.append(
                pb.AlphaChanged(key=self.key, deed=name, next_key=command.deed, ballast=bytes(len(command.ballast)))
            )
        return Answer(None, events=made)


class NumberSink(Service[pb.ParticipantState], kind="beta", effects="none"):
    """Expects the numbers of each stream one after another."""

    state: pb.ParticipantState

    async def take(self, command: pb.ChangeBeta) -> None:
        source, _, number = command.deed.partition(" ")
        stream = counted(self.state, source)
        if int(number) != stream.dos + 1:
            self.state.wrong.append(f"{self.key} took number {number} of {source} after {stream.dos}")
        stream.dos = max(stream.dos, int(number))


def to_sink(event: pb.AlphaChanged) -> pb.ChangeBeta:
    return pb.ChangeBeta(key=event.next_key, deed=event.deed, ballast=event.ballast)


def never(event: pb.Begun) -> pb.ChangeAlpha | None:
    return None


class Stream(Choreography, name=STREAM):
    """Nobody begins it: clients send their commands in it."""

    starts = on(pb.Begun, where={"process": 1})
    reactions = (on(pb.Begun, never), on(pb.AlphaChanged, to_sink, key="next_key"))
