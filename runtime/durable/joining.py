"""The door by which a command from outside joins a choreography: by its name, and by the conversation to go on with.

options ──check_options──▶ the choreography is known ──check──▶ its kind takes part, its conversation is that
process's and still open ──▶ posted, or CannotJoin: nothing was sent

What is told of a conversation is in the history: the message by which its choreography began, and the event by which it
was settled. A conversation that is settled while the command is under way is joined all the same, so handlers still
say no to what comes too late.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runtime.durable.caused import readable_came_of
from runtime.durable.client import CommandOptions
from runtime.durable.command_ids import ID_BYTES
from runtime.durable.kind import Subscribers
from runtime.envelope import Envelope, address_of, decode
from runtime.errors import CannotJoin, InvalidMessage
from runtime.store.port import TurnStore
from runtime.store.records import HistoryRow, MailRow

__all__ = ["Joining", "Parties"]


@dataclass(frozen=True, slots=True)
class Parties:
    """The services of a catalogue, by whether they take part in a choreography."""

    inside: frozenset[str]
    outside: frozenset[str]


class Joining:
    """`parties`: by choreography. Of a choreography, or a kind, that another catalogue has, nothing is known here."""

    def __init__(self, store: TurnStore, subscribers: Subscribers, parties: Mapping[str, Parties]) -> None:
        self._store = store
        self._subscribers = subscribers
        self._parties = parties

    def check_options(self, options: CommandOptions) -> None:
        """Raises InvalidMessage for what is no choreography. What is said to a saga itself names its own kind."""
        process, conversation = options.get("process", ""), options.get("conversation", b"")
        if not process or process == options.get("kind", ""):
            return
        known = self._subscribers.choreographies
        if process not in known:
            raise InvalidMessage(
                f"there is no choreography {process!r} that a command could be part of; there are "
                f"{', '.join(known) or 'none'}. What a saga drives is joined by nobody"
            )
        if conversation and len(conversation) != ID_BYTES:
            raise InvalidMessage(
                f"a conversation has {ID_BYTES} bytes, not {len(conversation)}: give that of the outcome which began it"
            )

    async def check(self, command: Envelope) -> None:
        """Raises CannotJoin for what nobody would hear, and StoreError. A command that came before may come again."""
        process = command.process
        if not process and command.conversation != command.id:
            await self._check_free(command)
        if not process or process == command.kind:
            return
        parties = self._parties.get(process)
        if parties is not None and command.kind in parties.outside:
            raise CannotJoin(
                f"{command.type} is for {command.kind}, which takes no part in {process}: nobody hears there what it "
                f"says. Commands for {', '.join(sorted(parties.inside))} join it; or send this one without a process"
            )
        if command.conversation != command.id:
            await self._check_conversation(command)

    async def _check_free(self, command: Envelope) -> None:
        """A command, or a timer that it sets, would say without a process what may begin a second one there."""
        mail = await self._store.mail_of_conversation(command.conversation)
        rows = await self._store.conversation(command.conversation)
        if command.id in {*(row.id for row in mail), *(row.id for row in rows)}:
            return
        begun = {one for row in rows if (one := readable_came_of(row).begun)}
        for one in sorted((begun | {_process(row) for row in mail}) - {""}):
            is_open = one in self._subscribers.choreographies
            cure = (
                f"say process={one!r}" if is_open else "what a saga drives is joined by nobody, so give no conversation"
            )
            raise CannotJoin(f"the conversation {command.conversation.hex()} is one of {one}: {cure}")

    async def _check_conversation(self, command: Envelope) -> None:
        mail = await self._store.mail_of_conversation(command.conversation)  # First: what leaves it is in the history.
        rows = await self._store.conversation(command.conversation)
        if command.id in {*(row.id for row in mail), *(row.id for row in rows)}:
            return
        self._check_process(command, mail, rows)
        for row in rows:
            if settled := readable_came_of(row).settled:
                raise CannotJoin(
                    f"the conversation {command.conversation.hex()} of {command.process} has ended: "
                    f"{address_of(row.kind, row.key)} has said {settled[0]}. Nothing was sent; begin another one"
                )

    def _check_process(self, command: Envelope, mail: Sequence[MailRow], rows: Sequence[HistoryRow]) -> None:
        wanted, talk = command.process, f"the conversation {command.conversation.hex()}"
        begun = {one for row in rows if (one := readable_came_of(row).begun)}
        under_way = {_process(row) for row in mail}
        if wanted in begun or wanted in under_way:
            return
        if others := sorted((begun | under_way) - {""}):
            raise CannotJoin(f"{talk} is one of {others[0]}, so no command of {wanted} joins it: name its own process")
        if any(self._subscribers.begins(wanted, row.kind, row.type) for row in rows):
            return  # It began by a build that did not note of which process.
        if under_way:
            raise CannotJoin(f"{talk} has not come to {wanted} yet: what began it still waits; ask again in a moment")
        if rows:
            first = f"{rows[0].type} for {address_of(rows[0].kind, rows[0].key)}"
            raise CannotJoin(
                f"{talk} is none of {wanted}: it began by {first}, and no event that starts {wanted} has come of it; "
                "give that of the outcome which began one"
            )
        raise CannotJoin(
            f"nothing is known of {talk}: give that of the outcome which began it. One in which nothing has happened "
            "for as long as the retention is forgotten"
        )


def _process(row: MailRow) -> str:
    try:
        return decode(row.envelope).process
    except InvalidMessage:
        return ""
