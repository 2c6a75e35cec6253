"""The history of an instance as a test in Python: a transcript that gives the same messages, and expects the same.

It passes on the definition that the history is of. On another one the first difference fails it.
"""

from __future__ import annotations

import keyword
import math
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

from google.protobuf import text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from runtime.durable.behaviour import Outgoing
from runtime.operate.dead_letters import NotFound
from runtime.operate.history import HistoryEntry, InstanceHistory, answered_by, asked_by
from runtime.protos.durable_pb2 import Fault, TimerFired, Undone
from runtime.protos.lock_pb2 import DeadlockSearch
from runtime.protos.saga_pb2 import CancelSaga, EventCame, RetrySaga, UndoSaga
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.keys import KeysBehaviour
from runtime.saga.view import task_name
from runtime.store.records import Outcome

__all__ = ["as_test"]


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
        definition = behaviour.definition
        self._beside = frozenset((KeysBehaviour(definition).kind, *(one.command.kind for one in definition.locks)))
        self._alone = ", alone=True" if definition.locks or definition.awaits or definition.keys else ""

    def text(self) -> str:
        history, lines = self._history, list[str]()
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
        head += [f"    story = SagaTranscript({self._name}, key={history.row.key!r}, now_s={start_s!r}{self._alone})"]
        return "\n".join([*head, *lines, ""])

    def _given(self, entry: HistoryEntry) -> Iterator[str]:
        message, replayed = entry.message, entry.replayed
        assert message is not None and replayed is not None, "it was run again"
        if isinstance(message, DeadlockSearch):
            return  # It changes nothing of this saga, and names commands of others.
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
            case Fault():
                return f"given_fault({message.error!r}{self._to(entry)})"
            case Undone():
                return f"given_nothing_to_undo({message.reason!r}{self._to(entry)})"
        if parent := asked_by(entry.row):
            if isinstance(message, UndoSaga):
                return f"given_undo({message.reason!r}, by={parent!r})"
            return f"given_start({self._written(message)}, by={parent!r})"
        if self._to(entry):
            return f"given({self._written(message)}{self._to(entry)})"
        return f"given{'' if entry.number == 1 else '_event'}({self._written(message)})"

    def _to(self, entry: HistoryEntry) -> str:
        command = self._command(answered_by(entry.row))
        return f", to={command}" if command else ""

    def _command(self, id: bytes) -> str:
        """A command that was sent, as the test finds it: by its place among those of its type. Ids differ there."""
        for one in self._sent:
            if id and one.id == id:
                alike = [other for other in self._sent if type(other.message) is type(one.message)]
                return f"story.command({self._type(type(one.message))}, {alike.index(one)})"
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
                if type(message)(**fields) == message and _is_readable(fields):
                    told = {key: self._told(value) for key, value in fields.items()}
                    if isinstance(message, EventCame):
                        told["body"] = f"{self._event(message)}.SerializeToString()"
                    return f"{name}({', '.join(f'{key}={value}' for key, value in told.items())})"
        self._types.setdefault("google.protobuf", set()).add("text_format")
        return f"text_format.Parse({text_format.MessageToString(message, as_one_line=True)!r}, {name}())"

    def _told(self, value: object) -> str:
        """A value as Python writes it; the id of a command by the command, since ids differ in the test."""
        if isinstance(value, bytes) and (command := self._command(value)):
            return f"{command}.id"
        if isinstance(value, dict):
            return f"{{{', '.join(f'{key!r}: {self._told(one)}' for key, one in value.items())}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(self._told, value))}]"
        return repr(value)

    def _event(self, came: EventCame) -> str:
        event = next(one.event for one in self._behaviour.definition.awaits if _name(one.event) == came.event_type)
        return self._written(event.FromString(came.body))


def _is_readable(value: object) -> bool:
    """Whether Python reads it back as `_told` writes it: no infinite number, and no message within a map."""
    if isinstance(value, dict | list):
        return all(map(_is_readable, value.values() if isinstance(value, dict) else value))
    return math.isfinite(value) if isinstance(value, float) else isinstance(value, str | bytes | int)


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
