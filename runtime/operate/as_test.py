"""The history of an instance as a test in Python: a transcript that gives the same messages, and expects the same.

It passes on the definition that the history is of. On another one the first difference fails it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from runtime.durable.behaviour import Outgoing
from runtime.envelope import parse_address
from runtime.operate.dead_letters import NotFound
from runtime.operate.history import HistoryEntry, InstanceHistory
from runtime.protos.durable_pb2 import Fault, TimerFired, Undone
from runtime.protos.lock_pb2 import DeadlockFound, DeadlockSearch, LockGranted, LockLost, LockReleased
from runtime.protos.saga_pb2 import CancelSaga, EventCame, KeyHeld, KeyTaken, RetrySaga, StoppedWaiting, TaskRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.keys import KeysBehaviour
from runtime.saga.read_lock import lock_kind
from runtime.saga.view import task_name
from runtime.store.records import Outcome

__all__ = ["as_test"]

_BESIDE = (KeyHeld, KeyTaken, StoppedWaiting, LockReleased, DeadlockSearch)  # The transcript's own actors say these.
_OTHER = "others/O-1"  # Who holds each lock until the saga was given it.
_ODD = re.compile(r"\b(inf|nan)\b|<")  # Python cannot read these back from their `repr`.


def as_test(history: InstanceHistory, behaviour: SagaBehaviour | None, saga: str) -> str:
    """`saga` is MODULE:CLASS. Raises NotFound where some record of the history cannot be told."""
    if history.untold or behaviour is None:
        raise NotFound(f"no test can be made of {history.address}, since {history.untold}")
    module, _, name = saga.partition(":")
    return _Writer(history, behaviour, module, name).text()


class _Writer:
    def __init__(self, history: InstanceHistory, behaviour: SagaBehaviour, module: str, name: str) -> None:
        self._history, self._behaviour = history, behaviour
        self._module, self._name = module, name
        self._types: dict[str, set[str]] = {module: {name}, "runtime.testing": {"SagaTranscript"}}
        self._sent: list[Outgoing] = []
        self._at_s = 0.0  # When the last message was given.
        locks = [one.command.kind for one in behaviour.definition.locks]
        self._losses_told: dict[tuple[str, float], None] = {}
        self._beside = frozenset((KeysBehaviour(behaviour.definition).kind, *locks))

    def text(self) -> str:
        history, lines = self._history, list[str]()
        for address in dict.fromkeys(task.address for task in history.record.tasks if task.HasField("lock")):
            lines.append(f"    story.given_locked({_lock(address)}, by={_OTHER!r})")
        for entry in history.entries:
            if entry.replayed is not None:
                lines += [f"    {line}" for line in self._given(entry)]
                self._sent += entry.replayed.decision.outgoing
        tasks = {task.path: task_name(task) for task in history.record.tasks}
        lines += [f"    assert story.step_status({name!r}) == {status!r}" for name, status in tasks.items()]
        named = "".join(char if char.isalnum() else "_" for char in history.address.lower())
        start_s = history.entries[0].row.handled_at_s
        day = datetime.fromtimestamp(start_s, UTC).date().isoformat()
        about = f"What {history.address} was given on {day}, and what it did; made by `amends admin history`."
        head = [f'"""{about}"""', ""]
        head += [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self._types.items())]
        head += ["", "", f"def test_{named}() -> None:"]
        head += [f"    story = SagaTranscript({self._name}, key={history.row.key!r}, now_s={start_s!r})"]
        return "\n".join([*head, *lines, ""])

    def _given(self, entry: HistoryEntry) -> Iterator[str]:
        message, replayed = entry.message, entry.replayed
        assert message is not None and replayed is not None, "it was run again"
        if isinstance(message, _BESIDE) or self._is_told(entry, message):
            return
        if self._at_s not in (0.0, entry.row.handled_at_s):
            yield f"story.now_s = {entry.row.handled_at_s!r}"
        self._at_s = entry.row.handled_at_s
        yield f"story.{self._call(entry, message)}"
        decision = replayed.decision
        if decision.outcome is Outcome.IGNORED:
            yield f"story.expect_ignored({decision.note!r})"
        sent = [self._written(one.message) for one in decision.outgoing if one.kind not in self._beside]
        yield f"story.expect({', '.join(sent)})"
        if replayed.after.status != replayed.before.status:
            yield f"story.expect_status({replayed.after.Status.Name(replayed.after.status).lower()!r})"

    def _call(self, entry: HistoryEntry, message: Message) -> str:
        match message:
            case TimerFired():
                return f"given_silence({message.name!r})"
            case CancelSaga():
                return f"given_cancellation({message.reason!r})"
            case RetrySaga():
                return f"given_retry({message.reason!r})"
            case EventCame():
                return f"given_outside({self._event(message)}, said_by={message.sender!r})"
            case LockGranted():
                return f"given_unlocked({_lock(self._locking(entry, message.command_id).address)}, by={_OTHER!r})"
            case LockLost():
                lock = _lock(self._locking(entry, message.command_id).address)
                return f"given_locked({lock}, by={message.went_to!r})"  # The time is over, so that one has it at once.
            case DeadlockFound():
                task = self._locking(entry, message.command_id).path
                self._types.setdefault(DeadlockFound.__module__, set()).add("DeadlockFound")
                told = f"command_id=story.step({task!r}).do.command_id, circle={message.circle!r}"
                return f"given_event(DeadlockFound({told}))"
            case Fault():
                return f"given_fault({message.error!r}{self._to(entry)})"
            case Undone():
                return f"given_nothing_to_undo({message.reason!r}{self._to(entry)})"
        if self._to(entry):
            return f"given({self._written(message)}{self._to(entry)})"
        return f"given{'' if entry.number == 1 else '_event'}({self._written(message)})"

    def _is_told(self, entry: HistoryEntry, message: Message) -> bool:
        """Whether a transcript says it with an earlier message: all holds of a key are lost at once."""
        if not isinstance(message, LockLost):
            return False
        lost = self._locking(entry, message.command_id).address, message.at_s
        is_told = lost in self._losses_told
        self._losses_told[lost] = None
        return is_told

    @staticmethod
    def _locking(entry: HistoryEntry, command_id: bytes) -> TaskRecord:
        assert entry.replayed is not None, "it was run again"
        return next(one for one in entry.replayed.before.tasks if one.do.command_id == command_id)

    def _event(self, came: EventCame) -> str:
        event = next(one.event for one in self._behaviour.definition.awaits if _name(one.event) == came.event_type)
        return self._written(event.FromString(came.body))

    def _to(self, entry: HistoryEntry) -> str:
        """The command that a message answers: it is known by its place among those of its type."""
        for one in self._sent:
            if one.id and one.id == entry.row.cause:
                alike = [other for other in self._sent if type(other.message) is type(one.message)]
                return f", to=story.command({self._type(type(one.message))}, {alike.index(one)})"
        return ""

    def _type(self, message_type: type[Message]) -> str:
        outer = message_type.DESCRIPTOR
        while outer.containing_type is not None:
            outer = outer.containing_type
        self._types.setdefault(message_type.__module__, set()).add(outer.name)
        return str(message_type.DESCRIPTOR.full_name.removeprefix(f"{message_type.DESCRIPTOR.file.package}."))

    def _written(self, message: Message) -> str:
        """A message as Python writes it; in protobuf's text where the constructor could not take it."""
        name = self._type(type(message))
        fields = {field.name: _plain(field, value) for field, value in message.ListFields()}
        if all(map(str.isidentifier, fields)) and not any(map(keyword.iskeyword, fields)):
            with suppress(TypeError, ValueError):
                if type(message)(**fields) == message and not _ODD.search(repr(fields)):
                    return f"{name}({', '.join(f'{key}={value!r}' for key, value in fields.items())})"
        self._types.setdefault("google.protobuf", set()).add("text_format")
        return f"text_format.Parse({text_format.MessageToString(message, as_one_line=True)!r}, {name}())"


def _lock(address: str) -> str:
    """Its name and its key, as a transcript names them."""
    kind, key = parse_address(address)
    return f"{kind.removesuffix(lock_kind(''))!r}, {key!r}"


def _name(message_type: type[Message]) -> str:
    return str(message_type.DESCRIPTOR.full_name)


def _plain(field: FieldDescriptor, value: object) -> object:
    if isinstance(value, Message):
        return {one.name: _plain(one, inner) for one, inner in value.ListFields()}
    if isinstance(value, str | bytes | int | float):
        return value
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return dict(value)  # type: ignore[call-overload]  # a map
    return [_plain(field, one) for one in value]  # type: ignore[attr-defined]  # repeated
