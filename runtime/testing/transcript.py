"""Tests of sagas that read as transcripts: given this message, expect those commands. They need no node and no store.

    story = SagaTranscript(BookTrip)
    story.given(TripStarted(trip_id="T-1")).expect(ReserveSeat(trip_id="T-1"), ReserveRoom)
    story.given(SeatReserved(trip_id="T-1"), to=story.command(ReserveSeat)).expect()
    story.given_silence("room").expect(ReleaseRoom)

Events that the saga waits for come from outside, before it waits, while it does, or too late:

    story.given_outside(PaymentReceived(payment_id="P-17"), said_by="payments/P-17").expect(Ship)

Of a list, an answer belongs to one item. A person decides on what was asked. Time goes by:

    story.given(SeatReserved(), to=story.command(ReserveSeat, key="LX1")).expect()
    story.given_approved("manager", by="anna").expect(BuyTicket)
    story.given_silence("cooling_off").expect(Ship)

A lock that the saga asks for is free, unless the story says that another holds it:

    story.given_locked("account", "ann", by="transfer/T-9").given(TransferStarted(from_account="ann")).expect()
    story.given_unlocked("account", "ann", by="transfer/T-9").expect(Debit)

The saga's real behaviour handles each message. Between two messages its record is bytes, as it is in a store.
"""

from __future__ import annotations

from typing import Any, Self

from google.protobuf.message import Message

from runtime.durable.behaviour import CancelTimer, Decision, Outgoing
from runtime.envelope import address_of, message_id
from runtime.protos import durable_pb2, saga_pb2
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.saga import Saga
from runtime.testing.expectations import Expectations
from runtime.testing.given import delivery_of
from runtime.testing.locks import LocksOfTranscript
from runtime.testing.outside import KeysOfTranscript

__all__ = ["SagaTranscript"]


class SagaTranscript(Expectations):
    """One instance of a saga, told step by step. Time stands still, except that it jumps to a timer that fires."""

    def __init__(
        self,
        saga: type[Saga[Any]] | SagaBehaviour,
        *,
        key: str = "",
        now_s: float = 1_000.0,
        message_bytes_max: int = 0,
        state_bytes_max: int = 0,
        alone: bool = False,
    ) -> None:
        """`message_bytes_max` and `state_bytes_max` mean what the settings of these names mean; 0 sets no limit.

        `alone`: no actor of a lock or of a key answers. The test gives what they say, as one made of a history does.
        """
        self._behaviour = saga if isinstance(saga, SagaBehaviour) else SagaBehaviour(saga)
        self._bytes, self._count, self._asked_by, self._alone = b"", 0, "", alone
        self._limits = {"body_bytes_max": message_bytes_max, "state_bytes_max": state_bytes_max}
        self.key = key  # The starting event gives it where it is empty.
        self.now_s = now_s
        self.timers: dict[str, float] = {}  # The instant at which each timer is due, by its name.
        self.sent: list[Outgoing] = []  # All commands and answers so far.
        self.decision = Decision()  # What was decided on the last message.
        self._outgoing: list[Outgoing] = []  # What was sent since the last `given`, but for waits for events and locks.
        self._keys = KeysOfTranscript(self._behaviour.definition)
        self._locks = LocksOfTranscript(self._behaviour.definition)
        self._beside = self._locks.kinds | {self._keys.kind}

    def command(self, message_type: type[Message], nth: int = -1, *, key: str = "") -> Outgoing:
        """A command that the saga sent: the last one of this type, or the one with this index; to this actor only.

        Raises AssertionError, which lists what was sent, if there is none.
        """
        found = [one for one in self.sent if isinstance(one.message, message_type) and key in ("", one.key)]
        which = f" to key {key!r}" if key else ""
        if not found:
            raise AssertionError(f"the saga has sent no {message_type.DESCRIPTOR.name}{which}; {self._what_was_sent()}")
        if not -len(found) <= nth < len(found):
            count = f"{len(found)} {message_type.DESCRIPTOR.name}{which}, counted from 0"
            raise AssertionError(f"the saga has sent {count}: there is none with the index {nth}")
        return found[nth]

    def carrying_on(self, other: SagaTranscript) -> Self:
        """Begin where another transcript ended, as a new release of the saga does."""
        self.key, self.now_s, self._bytes, self._count = other.key, other.now_s, other._bytes, other._count
        self.timers, self.sent = dict(other.timers), list(other.sent)
        return self

    # --- given ---

    def given(self, message: Message, *, to: Outgoing | None = None) -> Self:
        """The event that starts an instance, or the answer to a command: to the last one, unless `to` names it."""
        in_reply_to = b""
        if to is not None or self._bytes:
            in_reply_to = (to or self._last_command()).id
        return self._deliver(message, in_reply_to)

    def given_start(self, message: Message, *, by: str = "parents/P-1") -> Self:
        """The event that starts an instance, from an actor that waits for its end; or the same event once more."""
        self._asked_by = by
        try:
            return self._deliver(message, b"")
        finally:
            self._asked_by = ""

    def given_undo(self, reason: str = "", *, by: str = "parents/P-1") -> Self:
        """The saga that started this one as its child takes it back."""
        return self.given_start(saga_pb2.UndoSaga(key=self.key, reason=reason), by=by)

    def given_event(self, message: Message) -> Self:
        """The saga gets a message that answers no command."""
        return self._deliver(message, b"")

    def given_fault(self, error: str = "handler failed", *, to: Outgoing | None = None) -> Self:
        """The participant gave up on a command."""
        command = to or self._last_command()
        return self._deliver(durable_pb2.Fault(command=command.id, error=error, attempts=12), command.id)

    def given_nothing_to_undo(self, reason: str = "its command never came", *, to: Outgoing | None = None) -> Self:
        """The participant's runtime answers that there is nothing to undo."""
        command = to or self._last_command()
        undone = durable_pb2.Undone(command=command.id, undo_of=command.undo_of, reason=reason)
        return self._deliver(undone, command.id)

    def given_probed(self, answer: Message | None = None, *, reason: str = "", to: Outgoing | None = None) -> Self:
        """A participant's runtime answers a probe: what the probe asks about was handled, and answered so.

        Without an answer it is absent, and can no longer happen; with a reason, nobody can tell.
        """
        probe, probed = to or self.command(durable_pb2.ProbeCommands), durable_pb2.CommandsProbed()
        if not isinstance(probe.message, durable_pb2.ProbeCommands):
            what = probe.message.DESCRIPTOR.name
            raise AssertionError(f"to= is a {what} and no probe; name a probe: to=story.command(ProbeCommands)")
        for id in probe.message.commands:
            one = probed.commands.add(command=id, finding=durable_pb2.ProbedCommand.ABSENT)
            if reason:
                one.finding, one.reason = durable_pb2.ProbedCommand.UNKNOWN, reason
            elif answer is not None:
                one.finding = durable_pb2.ProbedCommand.HANDLED
                one.answers.add(type=answer.DESCRIPTOR.full_name, body=answer.SerializeToString())
        return self._deliver(probed, probe.id)

    def given_silence(self, timer: str = "") -> Self:
        """No message comes until a timer fires: this one, or else the earliest."""
        if not self.timers or (timer and timer not in self.timers):
            told = f"no timer {timer!r} is set" if timer else "no timer is set"
            known = ", ".join(f"{name!r}" for name in sorted(self.timers)) or "none"
            raise AssertionError(
                f"{told}, so that none could fire; there are: {known}. The saga may wait for a message"
            )
        name = timer or min(self.timers, key=lambda one: self.timers[one])
        self.now_s = max(self.now_s, self.timers.pop(name))
        return self._deliver(durable_pb2.TimerFired(name=name), b"", timer=name)

    def given_cancellation(self, reason: str = "") -> Self:
        return self._deliver(saga_pb2.CancelSaga(reason=reason), b"")

    def given_retry(self, reason: str = "the cause is mended") -> Self:
        """An operator tells a stuck saga to try again."""
        return self._deliver(saga_pb2.RetrySaga(reason=reason, who="operator"), b"")

    def given_outside(self, event: Message, *, said_by: str = "") -> Self:
        """Somebody outside says an event that the saga waits for, has waited for, or will; a client, or kind/key.

        The real actor of its key takes it: what it decides is `decision` if the event does not reach the saga.
        """
        id = self._next_id("outside")
        self.decision, handed = self._keys.say(event, said_by, id, self.now_s)
        for came in handed:
            self._hand_over(came, b"")
        return self

    def given_locked(self, name: str, key: str, *, by: str = "others/O-1") -> Self:
        """Another saga asks for a lock: it holds the key, or waits for it."""
        return self._tell(*self._locks.take(name, key, by, self._next_id("locked"), self.now_s))

    def given_unlocked(self, name: str, key: str, *, by: str = "others/O-1") -> Self:
        """That other saga has ended."""
        return self._tell(*self._locks.free(name, key, by, self._next_id("unlocked"), self.now_s))

    def given_lock_expired(self, name: str, key: str) -> Self:
        """The time of whoever holds the key is over."""
        self._next_id("expired")
        self.now_s, decision, told = self._locks.expire(name, key)
        return self._tell(decision, told)

    def given_key_of_another(self, name: str, key: str, *, by: str) -> Self:
        """Another instance, kind/key, asks for a key: it gets what this instance does not hold."""
        self._keys.hold(name, key, by, self.now_s)
        return self

    def given_key_freed(self, name: str, key: str, *, by: str) -> Self:
        """Another instance, kind/key, gives up a key that it holds."""
        self._keys.release(name, key, by, self.now_s)
        return self

    def given_approved(self, task: str, *, by: str = "operator", reason: str = "a test") -> Self:
        """A person approves what this task asks for now."""
        return self._decided(saga_pb2.RepairSaga.APPROVE, task, by, reason)

    def given_declined(self, task: str, *, by: str = "operator", reason: str = "a test") -> Self:
        """A person declines what this task asks for now."""
        return self._decided(saga_pb2.RepairSaga.DECLINE, task, by, reason)

    def given_act(self, act: saga_pb2.RepairSaga) -> Self:
        """An operator acts; who and why are filled in where the act does not say them."""
        filled = saga_pb2.RepairSaga(who="operator", reason="a test")
        filled.MergeFrom(act)
        return self._deliver(filled, b"")

    # --- delivery ---

    def _decided(self, act: saga_pb2.RepairSaga.Act.ValueType, task: str, by: str, reason: str) -> Self:
        """That the saga accepts it goes without saying, and is not among what is sent. A refusal is."""
        digest = self.step(task).digest
        self.given_act(saga_pb2.RepairSaga(act=act, task=task, who=by, reason=reason, digest=digest))
        self._outgoing = [one for one in self._outgoing if not isinstance(one.message, saga_pb2.RepairAccepted)]
        return self

    def _next_id(self, what: str) -> bytes:
        self._count, self._outgoing = self._count + 1, []
        return message_id(self.now_s, self.key.encode(), self._count, what)

    def _tell(self, decision: Decision, told: list[Outgoing]) -> Self:
        """Give the saga what an actor beside it has said to it."""
        self.decision = decision
        for one in told:
            if address_of(one.kind, one.key) == self._address():
                self._hand_over(one.message, b"")
        return self

    def _last_command(self) -> Outgoing:
        for one in reversed(self.sent):
            if one.wants_reply and one.kind not in self._beside:
                return one
        raise AssertionError(
            f"the saga has sent no command that could be answered; {self._what_was_sent()}. "
            "Begin it with given(EVENT), and give what answers no command by given_event or given_outside"
        )

    def _what_was_sent(self) -> str:
        return f"it has sent {', '.join(one.message.DESCRIPTOR.name for one in self.sent[-10:]) or 'nothing'}"

    def _deliver(self, message: Message, in_reply_to: bytes, timer: str = "") -> Self:
        self._outgoing = []
        return self._hand_over(message, in_reply_to, timer)

    def _hand_over(self, message: Message, in_reply_to: bytes, timer: str = "") -> Self:
        self._count += 1
        key = self.key or self._behaviour.key_of(message) or "KEY"
        id = message_id(self.now_s, self.key.encode(), self._count, "given")
        delivery = delivery_of(
            (self._behaviour.kind, key),
            message,
            id,
            self.now_s,
            self._count - 1,
            in_reply_to=in_reply_to,
            reply_to=self._asked_by,
            timer=timer,
            **self._limits,
        )
        record = self.record
        self.decision = self._behaviour.decide(record, delivery)
        self.key, self._bytes = key, record.SerializeToString()
        self._take(self.decision)
        return self

    def _take(self, decision: Decision) -> None:
        self.sent.extend(decision.outgoing)
        for name, due_at_s in [(name, self.timers.pop(name)) for name in decision.renamed or () if name in self.timers]:
            self.timers[(decision.renamed or {})[name]] = due_at_s
        for change in decision.timers:
            if isinstance(change, CancelTimer):
                self.timers.pop(change.name, None)
            else:
                self.timers[change.name] = change.due_at_s
        self._outgoing += [one for one in decision.outgoing if one.kind not in self._beside]
        for asked in () if self._alone else decision.outgoing:
            if asked.kind in self._beside:
                actor = self._keys if asked.kind == self._keys.kind else self._locks
                for answer in actor.ask(asked, self._address(), self.now_s):
                    self._hand_over(answer, asked.id if asked.wants_reply else b"")
