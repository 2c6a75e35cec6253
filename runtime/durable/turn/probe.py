"""A probe: a process that has heard nothing asks the runtime of an actor what became of the commands that it sent.

    handled                        what its handler told the asker: the answer is in the mail of the asker, or was
    ruled out by an undo or probe  it never ran, and never will
    never came                     the same from now on: a tombstone refuses it should it still come
    given up, or it waits          its service has looked it up before, if it can: `look_up`. Otherwise nobody can tell,
                                   since it may have run in part
    older than the retention       nobody can tell

A probe overtakes nothing. So the commands that its sender sent before it have had their turn, unless they are parked.
The author's class never sees a probe: the guard's own memory is the history, which a look-up adds to.
"""

from __future__ import annotations

from runtime.durable.caused import came_of
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.sends import Sends
from runtime.envelope import Envelope, decode, parse_address, shard_of
from runtime.protos.durable_pb2 import CommandsProbed, ProbeCommands, ProbedAnswer, ProbedCommand
from runtime.store.records import HistoryRow, Outcome

__all__ = ["PROBE", "answer_probe"]

PROBE = ProbeCommands.DESCRIPTOR.full_name
"""The type of the message."""


async def answer_probe(draft: Draft, probe: Envelope, asked: ProbeCommands) -> None:
    """Write the answer into the draft, and a tombstone for each command that never came. Raises StoreError."""
    probed = CommandsProbed()
    for id in dict.fromkeys(asked.commands):
        probed.commands.append(await _found(draft, probe, id))
    if probed.ByteSize() > draft.kind.limits.message_bytes_max:
        for answer in (answer for one in probed.commands for answer in one.answers):
            answer.ClearField("body")
    sends = Sends(draft, probe)
    sends.tell(probed)
    sends.close(Outcome.HANDLED, 1)


async def _found(draft: Draft, probe: Envelope, id: bytes) -> ProbedCommand:
    """What is known of a command. What this very turn has made of it counts before what the store says."""
    store = draft.kind.store
    handled = next((row for row in draft.history if row.id == id), None)
    waits = next((row for row in draft.rescheduled if row.id == id), None)
    if handled is None and waits is None:
        (handled,) = await store.handled([(probe.conversation, id)])
    if handled is not None:
        return await _of_handled(draft, probe, handled)
    waits = waits or await store.mail_of(draft.address, draft.shard, id)
    if waits is not None:
        why = f"it was given up: {waits.parked}" if waits.parked else "it waits, and may have run"
        return ProbedCommand(command=id, reason=why)
    retention_s = draft.kind.limits.retention_s
    if int.from_bytes(id[:6], "big") / 1000 < draft.now_s - retention_s:
        return ProbedCommand(command=id, reason=f"it is older than the retention of {retention_s:.0f} s")
    draft.never_to_run[id] = draft.address
    draft.tombstone(probe, id, f"probed by {probe.id.hex()} before it came")
    return ProbedCommand(command=id, finding=ProbedCommand.ABSENT)


async def _of_handled(draft: Draft, probe: Envelope, row: HistoryRow) -> ProbedCommand:
    if row.outcome is Outcome.UNDONE:
        return ProbedCommand(command=row.id, finding=ProbedCommand.ABSENT)
    if row.outcome is Outcome.FAULTED:
        return ProbedCommand(command=row.id, reason=f"it was given up: {row.error}")
    told = [one for one in came_of(row).caused if one.address == probe.reply_to]
    answers = [ProbedAnswer(type=one.type, body=await _body_of(draft, probe, one.id)) for one in told]
    return ProbedCommand(command=row.id, finding=ProbedCommand.HANDLED, answers=answers)


async def _body_of(draft: Draft, probe: Envelope, id: bytes) -> bytes | None:
    """The body of an answer: it is about to be sent, or it waits, or it was kept when the asker handled it."""
    sent = next((one for one in draft.outgoing if one.id == id), None)
    if sent is not None:
        return sent.body
    store, asker = draft.kind.store, parse_address(probe.reply_to)
    waits = await store.mail_of(asker, shard_of(asker[1], draft.kind.limits.shards_per_kind), id)
    if waits is not None:
        return decode(waits.envelope).body
    (row,) = await store.handled([(probe.conversation, id)])
    kept = None if row is None else came_of(row)
    return kept.input.body if kept is not None and kept.HasField("input") and not kept.input.left_out else None
