"""I17: a message that was never mail is handled in the very commit that sent it, by the actor that it was sent to.

A client's command that was never mail is the first that its actor's turn in the group has handled.

Ledger ──a group that was committed──▶ broken_group ──▶ (text, conversation)
                                  └──▶ sends_of       all that was sent in it, in the order of sending
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from runtime.envelope import Envelope, address_of
from runtime.store.groups import TransitionGroup
from runtime.store.records import MailRow, Transition

__all__ = ["broken_group", "never_mail", "sends_of"]


def broken_group(group: TransitionGroup, waiting: Container[bytes] = ()) -> Iterator[tuple[str, bytes]]:
    """What is wrong with a group by itself, and beside what waits as mail, by ids."""
    members = {one.actor.address: one for one in group.members if one.actor is not None}
    if len(members) < len(group.members):
        yield "a group has two turns of one actor, or a part that is no turn", b""
    passed = {one.id: one for one in never_mail(group)}
    for envelope in passed.values():
        name = f"{envelope.type} {envelope.id.hex()} for {address_of(*envelope.address)}"
        if not _is_handled_by(members.get(envelope.address), envelope):
            yield f"{name} was passed on, and no turn of its group has handled it", envelope.conversation
        if envelope.undo_of:
            yield f"{name} is an undo, and was never mail", envelope.conversation
        if envelope.due_at_s > envelope.sent_at_s:
            yield f"{name} was sent for later, and was handled at once", envelope.conversation
        if any(envelope.id in _waiting(member) for member in group.members):
            yield f"{name} was passed on, and was mail as well", envelope.conversation
    for command in group.commands:
        yield from _broken_command(command, members.get(command.address), waiting)
    for member in group.members[1:]:
        if not any(row.id in passed for row in member.history) or member.consumed or member.rescheduled:
            yield f"a group has a turn of {member.key} that no other turn of it has led to", b""


def _broken_command(
    command: Envelope, turn: Transition | None, waiting: Container[bytes]
) -> Iterator[tuple[str, bytes]]:
    """`turn` is that of the command's actor, if the group has one."""
    name = f"{command.type} {command.id.hex()} of a client"
    if turn is None or not turn.history or turn.history[0].id != command.id:
        yield f"{name} was never mail, and no turn of its group has begun with it", command.conversation
    if turn is not None and (turn.consumed or turn.given_up or turn.rescheduled):
        yield f"{name} was never mail, and was handled together with what was", command.conversation
    if command.id in waiting:
        yield f"{name} was handled beside its mail, which waits", command.conversation
    if command.sender or command.cause:
        yield f"{name} was sent by {command.sender or 'another message'}", command.conversation


def never_mail(group: TransitionGroup) -> list[Envelope]:
    """What the members have handled, and no row of mail was ever written for."""
    passed = [one for member in group.members for one in member.passed]
    return [*group.commands, *passed]


def sends_of(group: TransitionGroup) -> Iterator[MailRow]:
    """All that clients and the members have sent, each member's in its order, as rows of mail."""
    shards = {one.actor.address: one.actor.shard for one in group.members if one.actor is not None}
    for command in group.commands:
        yield MailRow.of(command, shards.get(command.address, 0))
    for member in group.members:
        rows = [*member.mail, *(MailRow.of(one, shards.get(one.address, 0)) for one in member.passed)]
        yield from sorted(rows, key=lambda row: row.sequence)


def _is_handled_by(member: Transition | None, envelope: Envelope) -> bool:
    if member is None:
        return False
    return (envelope.conversation, envelope.id) in [(row.conversation, row.id) for row in member.history]


def _waiting(member: Transition) -> set[bytes]:
    """Ids of what a member writes to the mail, or takes out of it."""
    return {*member.consumed, *member.given_up, *(row.id for row in (*member.mail, *member.rescheduled))}
