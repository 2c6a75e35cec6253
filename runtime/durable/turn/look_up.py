"""The look-ups of a probe: what became of commands of which the history cannot tell, as an outside system knows.

    probe ──doubts_of──▶ a Doubt for each command that was given up, and that its service can look up
             look_up     run the service's method, as a handler is run; nothing is written
             settle      it has happened   its history says so, and what the method returned goes out as its answer
                         it has not        its history says "undone", so that every copy is refused
          ──answer_probe──▶ reads both from the draft

The command leaves the mail in the same transition in which the probe is answered. So what was found absent is not
replayed, and what was found done is not done once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message

from runtime.durable.behaviour import Decision, Delivery, LooksUp
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.invocation import invoke
from runtime.durable.turn.sends import Sends
from runtime.envelope import Envelope, decode
from runtime.errors import InvalidMessage
from runtime.protos.durable_pb2 import ProbeCommands
from runtime.store.records import MailRow, Outcome

__all__ = ["Doubt", "doubts_of"]


@dataclass(slots=True)
class Doubt:
    """A command of which the history cannot tell. What was found of it is written once all look-ups have ended well."""

    draft: Draft
    row: MailRow
    do: Envelope
    sends: Sends = field(init=False)
    found: Decision | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.sends = Sends(self.draft, self.do)

    def anew(self) -> Doubt:
        """The same for the next run: what the last would have sent is dropped."""
        return Doubt(self.draft, self.row, self.do)

    def command(self) -> Message:
        """Decoded for each run, since a run may change it. Raises InvalidMessage."""
        return self.draft.kind.contracts.parse(self.do.type, self.do.body)

    async def look_up(self, state: Message, delivery: Delivery, timeout_s: float) -> None:
        """Raises what the service's method raises, and InvalidMessage for what cannot be sent."""
        kind = self.draft.kind
        assert isinstance(kind.behaviour, LooksUp)
        self.found = await invoke(kind.behaviour.look_up(state, delivery), self.do, kind.ports, timeout_s)
        if self.found is not None:
            self.sends.take(self.found)

    def settle(self, probe: Envelope) -> None:
        """Write what was found: the command is handled, or never will be."""
        draft, do, why = self.draft, self.do, f"looked up for the probe {probe.id.hex()}"
        draft.never_to_run[do.id] = draft.address
        draft.given_up[do.id] = None
        draft.unschedule(do.id)
        if self.found is None:
            error = f"{why}: it has not happened, and no longer can"
            draft.note(do, Outcome.UNDONE, attempts=self.row.attempts, error=error)
            return
        if self.found.timers:
            self.sends.change_timers(self.found.timers)
        self.sends.close(Outcome.HANDLED, self.row.attempts, why)


async def doubts_of(draft: Draft, asked: ProbeCommands) -> Sequence[Doubt]:
    """The commands that wait or were given up, of those that the service can look up. Raises StoreError."""
    behaviour = draft.kind.behaviour
    if not isinstance(behaviour, LooksUp):
        return ()
    doubts = []
    for id in dict.fromkeys(asked.commands):
        row = next((one for one in draft.rescheduled if one.id == id), None)
        if row is None and not any(one.id == id for one in draft.history):
            row = await draft.kind.store.mail_of(draft.address, draft.shard, id)
        if row is not None and _can_be_looked_up(draft, behaviour, do := decode(row.envelope)):
            doubts.append(Doubt(draft, row, do))
    return doubts


def _can_be_looked_up(draft: Draft, behaviour: LooksUp, do: Envelope) -> bool:
    try:
        return behaviour.looks_up(type(draft.kind.contracts.parse(do.type, do.body)))
    except InvalidMessage:
        return False  # Of what nobody can read nobody can tell.
