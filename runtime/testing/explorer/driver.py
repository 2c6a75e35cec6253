"""The saga under exploration: how its real behaviour takes an input. It is asked once for each record and input.

    search ──record, Input──▶ SagaDriver ──Delivery──▶ SagaBehaviour.decide ──▶ interpreter, the author's functions
           ◀── Taken ────────        ◀─ Decision ─

Time and revisions stand still, and a command's id says only its step, its direction and its number. So two records are
the same bytes if they differ only in when, or by which way, they came about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import Message

from runtime.durable.behaviour import Decision, Delivery, Outgoing, SetTimer
from runtime.envelope import Envelope
from runtime.errors import FinalError
from runtime.protos import durable_pb2, saga_pb2
from runtime.protos.lock_pb2 import LockGranted
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.node import ChildDefinition, EndDefinition, WhenDefinition
from runtime.saga.saga import Saga
from runtime.saga.view import Phase, phase_of
from runtime.store.records import Outcome
from runtime.testing.explorer.author import Watch, watched
from runtime.testing.explorer.person import PersonsAct, act_message
from runtime.testing.explorer.places import Places
from runtime.testing.explorer.samples import Samples
from runtime.testing.explorer.world import FAULT, NOTHING, PROBES_FROM, Reply, SagaWorld, SentCommand

__all__ = ["NOW_S", "Input", "SagaDriver", "Taken", "View", "command_id"]

NOW_S = 1_000_000.0
"""Everything happens at this instant."""

_CONVERSATION = bytes(range(16))
_UNNAMED = b"\xff"  # An id begins with this byte until its step is known.
_REMAINS = "; still to "  # What follows it in the reason of being stuck depends on the order in which steps failed.


class Input(NamedTuple):
    """What comes to the saga. One of these is set."""

    reply: Reply | None = None
    timer: str = ""
    event: int = -1  # The index of a starting event among the samples.
    cancel: bool = False
    act: PersonsAct | None = None


class View(NamedTuple):
    """What the checks read of a record."""

    status: saga_pb2.SagaRecord.Status.ValueType
    stuck_in: saga_pb2.SagaRecord.Status.ValueType
    phases: tuple[Phase | None, ...]  # By place; None where this record has no task.
    reason: str
    stuck_reason: str
    stuck: tuple[str, ...]  # The paths of the stuck tasks.
    unchosen: frozenset[int]  # The nodes in branches that a choice has not taken.
    has_ended_early: bool
    state: int  # The number of the business state.

    @property
    def heading(self) -> saga_pb2.SagaRecord.Status.ValueType:
        """The direction in which it goes, or went when it got stuck."""
        return self.stuck_in if self.status == saga_pb2.SagaRecord.STUCK else self.status


class Taken(NamedTuple):
    """How the saga took an input."""

    record: int
    sent: tuple[SentCommand, ...]
    timers: tuple[tuple[str, bool], ...]  # Set if true, else cancelled, in this order.
    said: tuple[str, ...]  # The names of messages to a client.
    ignored: bool
    note: str
    mistakes: tuple[str, ...]  # Mistakes of the author's functions.
    crash: str  # What the behaviour itself raised, or lost track of.
    waived: tuple[int, ...]  # The steps whose undo is not needed.
    changes_nothing: bool
    alarm: str  # An alarm for a person.
    dos: tuple[tuple[int, int], ...]  # Places that made a do, with the number of the state that it was made from.
    undos: tuple[tuple[int, int], ...]  # The same of undos.
    kept: int | None  # The number of the state after a step's on_answer.


class SagaDriver:
    """One saga, with numbers for its records and for the answers that its participants may give."""

    def __init__(self, saga: type[Saga[Any]], samples: Samples, asks_max: int) -> None:
        self._watch = Watch()
        self._samples = samples
        self._behaviour = SagaBehaviour(saga)
        self.definition = watched(saga.definition, self._watch, asks_max)
        self._behaviour.definition = self.definition
        self._bytes: list[bytes] = []
        self._numbers: dict[bytes, int] = {}
        self._states: dict[bytes, int] = {}
        self._taken: dict[tuple[int, Input], Taken] = {}
        self.views: list[View] = []
        self.places = Places(self.definition, samples)
        self.nothing = self.number(saga_pb2.SagaRecord())

    def take(self, record: int, input: Input) -> Taken:
        """How the saga takes an input with this record. The answer is kept, since it is always the same."""
        taken = self._taken.get((record, input))
        if taken is None:
            taken = self._taken[record, input] = self._take(record, input)
        return taken

    @property
    def tried(self) -> Iterable[tuple[int, Input]]:
        """Each record and input that have been tried so far."""
        return self._taken

    def record(self, number: int) -> saga_pb2.SagaRecord:
        return saga_pb2.SagaRecord.FromString(self._bytes[number])

    def may_stay(self, step: int) -> bool:
        """Whether the saga is compensated although this child stays done."""
        node = self.places.nodes[step]
        return isinstance(node, ChildDefinition) and bool(node.may_stay)

    @property
    def events(self) -> Sequence[Message]:
        """The events that start an instance."""
        return self._samples.starts

    def is_at_rest(self, world: SagaWorld) -> bool:
        """Says whether nothing more comes by itself, and no person is expected to decide."""
        if not world.is_at_rest:
            return False
        view = self.views[world.record]
        is_running = view.status == saga_pb2.SagaRecord.RUNNING
        return not (is_running and any(view.phases[one.index] is Phase.TO_APPROVE for one in self.places.approvals))

    def message(self, input: Input) -> Message:
        """The message of an input that is no act of a person."""
        if input.timer:
            return durable_pb2.TimerFired(name=input.timer)
        if input.cancel:
            return saga_pb2.CancelSaga(reason="the client asked for it")
        if input.reply is None:
            return self._samples.starts[input.event]
        command, answer = input.reply
        if answer == FAULT:
            return durable_pb2.Fault(command=command_id(command), error="the handler failed", attempts=12)
        if answer == NOTHING:
            return durable_pb2.Undone(command=command_id(command), reason="it never ran")
        message = self.places.answers[answer]
        if isinstance(message, LockGranted):  # It may come long after, and so says by itself what it answers.
            return LockGranted(command_id=command_id(command), expires_at_s=message.expires_at_s)
        return message

    # --- one input ---

    def _take(self, record: int, input: Input) -> Taken:
        state = self.record(record)
        self._watch.clear()
        mistakes = self._watch.mistakes
        decision, crash = Decision(), ""
        made: list[bytes] = []  # The ids of commands that this input makes.
        try:
            act = input.act
            message = self.message(input) if act is None else act_message(self.definition, state, act)
            decision = self._behaviour.decide(state, self._delivery(input, message, made))
        except FinalError as error:  # `begin` makes nothing of this event.
            mistakes.append(str(error))
        except Exception as error:  # noqa: BLE001 # any exception here is a finding
            state, crash = self.record(record), f"{type(error).__name__}: {error}"
        names = self._rename(state) if made else {}
        _stand_still(state)
        lost = [one.message.DESCRIPTOR.name for one in decision.outgoing if one.id and one.id not in names]
        if lost:
            crash = f"it sent {', '.join(lost)}, and its record does not have the id"
        after = self.number(state)
        return Taken(
            after,
            tuple(_command(one, names) for one in decision.outgoing if one.id in names),
            tuple((one.name, isinstance(one, SetTimer)) for one in decision.timers),
            tuple(one.message.DESCRIPTOR.name for one in decision.outgoing if not one.wants_reply),
            decision.outcome is Outcome.IGNORED,
            decision.note,
            tuple(mistakes),
            crash,
            tuple([self.places[path] for path in self._watch.waived]),
            changes_nothing=after == record and not (decision.outgoing or decision.timers),
            alarm=decision.alarm,
            dos=self._given(undo=False),
            undos=self._given(undo=True),
            kept=None if self._watch.kept is None else self._number_of_state(self._watch.kept),
        )

    def _given(self, *, undo: bool) -> tuple[tuple[int, int], ...]:
        given = [(path, state) for path, is_undo, state in self._watch.given if is_undo == undo]
        return tuple([(self.places[path], self._number_of_state(state)) for path, state in given])

    def _number_of_state(self, state: bytes) -> int:
        return self._states.setdefault(state, len(self._states))

    def number(self, record: saga_pb2.SagaRecord) -> int:
        body = record.SerializeToString(deterministic=True)
        number = self._numbers.setdefault(body, len(self._bytes))
        if number == len(self._bytes):
            self._bytes.append(body)
            phases = self._phases(record)
            stuck = tuple(task.path for task in record.tasks if task.stuck)
            unchosen, has_ended = self._left_out(record)
            said = (record.reason, record.stuck_reason)
            state = self.definition.state_type.FromString(record.state).SerializeToString(deterministic=True)
            kept = self._number_of_state(state)
            self.views.append(View(record.status, record.stuck_in, phases, *said, stuck, unchosen, has_ended, kept))
        return number

    def _phases(self, record: saga_pb2.SagaRecord) -> tuple[Phase | None, ...]:
        phases: list[Phase | None] = []
        for place, task in zip(self.places.of(record), record.tasks, strict=True):
            phases.extend([None] * (place + 1 - len(phases)))
            phases[place] = phase_of(task)
        return tuple(phases)

    def _rename(self, record: saga_pb2.SagaRecord) -> dict[bytes, tuple[int, bool, int]]:
        """Replaces new ids in a record by place, direction and number. Gives these for each id that was replaced."""
        names: dict[bytes, tuple[int, bool, int]] = {}
        for place, task in zip(self.places.of(record), record.tasks, strict=True):
            for exchange, undo in ((task.do, False), (task.undo, True)):
                if exchange.command_id.startswith(_UNNAMED):
                    names[exchange.command_id] = place, undo, exchange.attempts
                    exchange.command_id = _id(place, undo, exchange.attempts)
            if task.probe.command_id.startswith(_UNNAMED):
                number = PROBES_FROM + len({*task.probe.earlier_ids, *task.probe.faulted_ids})
                names[task.probe.command_id] = place, False, number
                task.probe.command_id = _id(place, False, number)
        return names

    def _left_out(self, record: saga_pb2.SagaRecord) -> tuple[frozenset[int], bool]:
        """The nodes in branches that were not taken, and whether an early end has been come to."""
        unchosen, has_ended = set[int](), False
        for node, task in zip(self.definition.nodes, record.tasks, strict=False):
            if isinstance(node, WhenDefinition) and task.HasField("holds"):
                unchosen |= set(node.otherwise if task.holds else node.then)
            elif isinstance(node, EndDefinition):
                has_ended |= task.status in (saga_pb2.TaskRecord.DONE, saga_pb2.TaskRecord.SKIPPED)
        return frozenset(unchosen), has_ended

    def _delivery(self, input: Input, message: Message, made: list[bytes]) -> Delivery:
        in_reply_to = b"" if input.reply is None else command_id(input.reply.command)
        envelope = Envelope(
            id=b"\1" * 16,
            kind=self._behaviour.kind,
            key=self._samples.key,
            type=message.DESCRIPTOR.full_name,
            body=message.SerializeToString(),
            conversation=_CONVERSATION,
            sent_at_s=NOW_S,
            in_reply_to=in_reply_to,
            timer=input.timer,
        )
        return Delivery(envelope, message, NOW_S, 0, 1, lambda *_: _new_id(made))


def command_id(command: SentCommand) -> bytes:
    """An id of 16 bytes. The instant of sending is in front, as in the runtime's ids."""
    return _id(command.step, command.undo, command.attempt)


def _new_id(made: list[bytes]) -> bytes:
    made.append(_UNNAMED * 15 + bytes((len(made) + 1,)))
    return made[-1]


def _id(step: int, undo: bool, attempt: int) -> bytes:
    return int(NOW_S * 1000).to_bytes(6, "big") + bytes((0, 0, 0, 0, 0, 0, 0, step, undo, attempt))


def _stand_still(record: saga_pb2.SagaRecord) -> None:
    """Takes out of a record what only an operator reads.

    These are revisions, which count inputs, the acts of persons, and what remained to be done when it got stuck.
    """
    record.revision = 0
    record.stuck_reason = record.stuck_reason.partition(_REMAINS)[0]
    for task in record.tasks:
        task.moved_at = 0
    del record.repairs[:]


def _command(sent: Outgoing, names: dict[bytes, tuple[int, bool, int]]) -> SentCommand:
    step, undo, attempt = names[sent.id]
    undoes = names.get(sent.undo_of, (0, False, sent.undo_of[-1] if sent.undo_of else 0))[2]
    earlier = tuple(id[-1] for id in sent.earlier_undos)
    address = f"{sent.kind}/{sent.key}"
    asked = sent.message.commands if isinstance(sent.message, durable_pb2.ProbeCommands) else ()
    probes = tuple(id[-1] for id in asked)
    return SentCommand(step, undo, attempt, undoes, sent.refusals, address, sent.begun, earlier, sent.undones, probes)
