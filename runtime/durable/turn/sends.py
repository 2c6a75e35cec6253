"""What a handler decided becomes envelopes: a command goes to its kind, an event to who asked and who subscribed.

Decision.outgoing ──▶ Sends ──▶ envelopes with ids, in the Draft; nothing is sent before the commit
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.message import Message

from runtime.contracts import Contract
from runtime.durable.behaviour import CancelTimer, Decision, Outgoing, SetTimer
from runtime.durable.caused import note_caused
from runtime.durable.kind import key_for
from runtime.durable.turn.draft import SENT_MAX, ClientAnswer, Draft
from runtime.durable.turn.kept_input import keep_input
from runtime.durable.turn.new_timer import check_timer, new_timer
from runtime.envelope import (
    Address,
    Envelope,
    address_of,
    body_of,
    check_key,
    check_size,
    content_of,
    is_instant,
    message_id,
    parse_address,
)
from runtime.errors import InvalidMessage
from runtime.protos import durable_pb2
from runtime.store.records import Outcome, Subscription

__all__ = ["Sends"]


class Sends:
    """Collects what the handling of one message sends. Dropped whole when the handler fails."""

    __slots__ = (
        "_cause",
        "_conversation",
        "_draft",
        "_is_late",
        "_kind",
        "_position",
        "_process",
        "_sender",
        "_settled",
        "_unheard",
        "answer",
        "sent",
    )

    def __init__(self, draft: Draft, cause: Envelope) -> None:
        self._draft = draft
        self._kind = draft.kind
        self._cause = cause
        self._sender = address_of(*draft.address)
        self._position = 0
        process = draft.kind.behaviour.process
        self._process = process or cause.process
        self._is_late = bool(cause.timer) and not self._process  # See Subscribers.apart.
        # A saga's messages stay in its own conversation, also those that another conversation has caused: an undo
        # finds its do by the conversation that both are in.
        self._conversation = draft.own_conversation(cause) if process else cause.conversation
        self.sent: list[Envelope] = []
        self.answer: Message | None = None
        self._unheard: tuple[str, ...] = ()  # Names of events that nobody listens to.
        self._settled: tuple[str, ...] = ()  # Names of events that settle the conversation.

    def next_id(self, destination: str, content: bytes) -> bytes:
        """The id of the next message. A handler that runs again and says the same makes the same id."""
        self._position += 1
        return message_id(self._cause.sent_at_s, self._cause.id, self._position, destination, content)

    def take(self, decision: Decision) -> None:
        for outgoing in decision.outgoing:
            self._take(outgoing)
        if decision.answer is not None:
            self.answer = decision.answer
        for change in decision.timers:
            if isinstance(change, SetTimer):
                check_timer(change, self._kind.contracts, self._kind.limits.message_bytes_max)

    def fault(self, error: str, attempts: int) -> None:
        """Tell the actor that sent the command that it will not be handled, unless an operator replays it."""
        cause = self._cause
        if cause.reply_to:
            fault = durable_pb2.Fault(command=cause.id, command_type=cause.type, error=error[:4000], attempts=attempts)
            try:
                # Faults use position 0, answers positions from 1: a late answer is never taken for a copy of the fault.
                # The id does not depend on the text: a command that is replayed and fails again tells nothing new.
                id = message_id(cause.sent_at_s, cause.id, 0, cause.reply_to)
                self._reply(fault, fault.DESCRIPTOR.full_name, fault.SerializeToString(), id=id)
            except InvalidMessage:
                pass  # Nobody has that address. The message is parked with its reason all the same.

    def tell(self, message: Message) -> None:
        """Answer whoever asks, in the name of the runtime: no handler was called."""
        if self._cause.reply_to:
            self._reply(message, message.DESCRIPTOR.full_name, body_of(message))

    def change_timers(self, changes: Sequence[SetTimer | CancelTimer]) -> None:
        draft, conversation, process = self._draft, self._conversation, self._process
        if self._kind.behaviour.process:  # The timers of a process are of its actor's conversation.
            conversation, process = b"", ""
        trace = draft.traceparent(self._cause) if draft.traces else ""
        for change in changes:
            if isinstance(change, CancelTimer):
                draft.drop_timer(change.name)
            else:
                draft.move_timer(new_timer(change, self._cause.id, conversation, process, trace))

    def rename_timers(self, names: Mapping[str, str]) -> None:
        """By the old name, the new one: each keeps its instant."""
        found = [(name, self._draft.timers[name].due_at_s) for name in names if name in self._draft.timers]
        self.change_timers([CancelTimer(name) for name, _ in found])
        self.change_timers([SetTimer(names[name], due_at_s) for name, due_at_s in found])

    def close(self, outcome: Outcome, attempts: int, error: str = "", *, keeps_input: bool = False) -> None:
        """Put the message into the history, with what it sent, and have that go out with the draft."""
        draft, cause = self._draft, self._cause
        draft.outgoing.extend(self.sent)
        for name in self._unheard:
            draft.facts.append(self._kind.unheard(self._sender, name, self._process))
        caused = self._caused(keeps_input)
        is_mail = not cause.timer and cause.id not in draft.unposted
        draft.note(cause, outcome, attempts=attempts, error=error, caused=caused, consume=is_mail)
        self.tell_client()

    def tell_client(self, fault: str = "") -> None:
        """Answer the call that waits for this message, if one does."""
        if self._cause.answer_to:
            answer = None if fault else self.answer
            self._draft.answers.append(ClientAnswer(self._cause.answer_to, answer, fault, self._cause.id))

    def _caused(self, keeps_input: bool) -> bytes:
        begun = self._kind.begun_by(self._cause)
        if not (self.sent or self._unheard or self._settled or begun or keeps_input):
            return b""
        caused = durable_pb2.CausedList()
        if self._unheard or self._settled:  # Rarely, and even empty lists cost a lot.
            caused.unheard.extend(self._unheard)
            caused.settled.extend(self._settled)
        if begun:
            caused.begun = begun
        if keeps_input:
            keep_input(caused.input, self._cause, len(self._draft.history))
        note_caused(caused, self._cause, self.sent)
        return caused.SerializeToString()

    def _take(self, outgoing: Outgoing) -> None:
        message = outgoing.message
        contract = self._kind.contracts.of(message)
        body = outgoing.body or body_of(message)
        check_size(contract.name, body, self._kind.limits.message_bytes_max)
        if outgoing.kind or contract.is_command:
            self._command(outgoing, contract, body)
        elif outgoing.is_published:
            self._publish(outgoing, contract, body)
        else:
            self._event(outgoing, contract, body)

    def _command(self, outgoing: Outgoing, contract: Contract, body: bytes) -> None:
        if not is_instant(outgoing.due_at_s):
            raise InvalidMessage(f"{contract.name} is due at {outgoing.due_at_s}, which is no instant since 1970")
        key = check_key(outgoing.key) if outgoing.key else contract.key(outgoing.message)
        self._add(
            contract.name,
            body,
            (outgoing.kind or contract.kind, key),
            id=outgoing.id,
            due_at_s=outgoing.due_at_s,
            reply_to=self._sender if outgoing.wants_reply else "",
            undo_of=outgoing.undo_of,
            refusals=outgoing.refusals,
            earlier_undos=outgoing.earlier_undos,
            dones=outgoing.dones,
            undones=outgoing.undones,
            begun=outgoing.begun,
            in_reply_to=outgoing.in_reply_to,
        )

    def _event(self, outgoing: Outgoing, contract: Contract, body: bytes) -> None:
        event = outgoing.message
        if self.answer is None and self._cause.answer_to and outgoing.is_answer:
            # A copy, since the event may be the state itself, which the next message of the turn changes.
            self.answer = type(event).FromString(body)
        if self._cause.reply_to:
            self._reply(event, contract.name, body)
        subscribers = self._kind.subscribers
        wanted = subscribers.of(contract.name, event, self._process)
        is_awaited = wanted or self._cause.reply_to or self._cause.answer_to
        if not (is_awaited or subscribers.is_end(contract.name, self._process) or self._is_reminded()):
            self._unheard += (contract.name,)
        if self._process and subscribers.settles(self._process, contract.name):
            self._settled += (contract.name,)
        self._tell(wanted, event, contract, body)

    def _is_reminded(self) -> bool:
        """Whether a saga reminds with this command. It asks for no answer to that, and for one to any other."""
        cause = self._cause
        by_driver = bool(cause.process) and cause.sender.startswith(f"{cause.process}/")
        return by_driver and self._kind.contracts.named(cause.type).is_command

    def _publish(self, outgoing: Outgoing, contract: Contract, body: bytes) -> None:
        """An event that is no answer, and that no process drives: it may start one, in a conversation of its own."""
        wanted = self._kind.subscribers.of(contract.name, outgoing.message, "")
        if not wanted:
            self._unheard += (contract.name,)
        self._tell(wanted, outgoing.message, contract, body, self.next_id("", content_of(contract.name, body, b"")))

    def _tell(
        self, wanted: Sequence[Subscription], event: Message, contract: Contract, body: bytes, conversation: bytes = b""
    ) -> None:
        """Send an event to its subscribers, in this conversation unless another is given.

        All processes but the first that this handler's events start begin in conversations of their own.
        """
        apart = {
            process: self.next_id("", content_of(contract.name, body, process.encode()))
            for process in self._kind.subscribers.apart(contract.name, wanted, is_late=self._is_late)
        }
        self._is_late |= not self._process and any(one.starts for one in wanted)
        for one in wanted:
            place = apart.get(one.process, conversation)
            key = key_for(one, event) if one.key_field else (place or self._conversation).hex()
            self._add(contract.name, body, (one.kind, key), process=one.process, conversation=place)

    def _reply(self, message: Message, name: str, body: bytes, *, id: bytes = b"") -> None:
        self._add(name, body, parse_address(self._cause.reply_to), id=id, in_reply_to=self._cause.id)

    def _add(
        self,
        name: str,
        body: bytes,
        to: Address,
        *,
        id: bytes = b"",
        due_at_s: float = 0.0,
        reply_to: str = "",
        in_reply_to: bytes = b"",
        undo_of: bytes = b"",
        refusals: tuple[str, ...] = (),
        earlier_undos: tuple[bytes, ...] = (),
        dones: tuple[str, ...] = (),
        undones: tuple[str, ...] = (),
        begun: bool = False,
        process: str = "",
        conversation: bytes = b"",
    ) -> None:
        if len(self.sent) >= SENT_MAX:
            raise InvalidMessage(f"one message leads to more than {SENT_MAX:,} others; send them in parts")
        cause, draft = self._cause, self._draft
        self.sent.append(
            Envelope(  # In the order of its fields: with their names it takes three times as long.
                id or self.next_id(address_of(*to), content_of(name, body, undo_of)),
                to[0],
                to[1],
                name,
                body,
                conversation or self._conversation,
                cause.id,
                self._sender,
                draft.next_sequence(),
                draft.now_s,
                due_at_s,
                reply_to,
                in_reply_to,
                undo_of,
                refusals,
                process if conversation else process or self._process,
                "",
                "",
                draft.traceparent(cause) if draft.traces else cause.traceparent,
                earlier_undos,
                dones,
                undones,
                begun,
            )
        )
