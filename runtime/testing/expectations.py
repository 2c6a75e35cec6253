"""What a transcript expects of its saga, and how the saga stands: the half of a transcript that changes nothing."""

from __future__ import annotations

from typing import Self

from google.protobuf.message import Message

from runtime.durable.behaviour import Decision, Outgoing
from runtime.envelope import address_of
from runtime.protos import saga_pb2
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.view import task_name
from runtime.store.records import Outcome
from runtime.testing.expected import fits, told
from runtime.testing.locks import LocksOfTranscript
from runtime.testing.outside import KeysOfTranscript

__all__ = ["Expectations"]


class Expectations:
    """Each `expect` gives the transcript itself, or raises AssertionError with how the saga stands."""

    key: str
    decision: Decision  # What was decided on the last message.
    _behaviour: SagaBehaviour
    _bytes: bytes  # The record, as it is in a store.
    _outgoing: list[Outgoing]  # What was sent since the last `given`, but for waits for events and locks.
    _keys: KeysOfTranscript
    _locks: LocksOfTranscript

    @property
    def record(self) -> saga_pb2.SagaRecord:
        return saga_pb2.SagaRecord.FromString(self._bytes)

    @property
    def status(self) -> str:
        return saga_pb2.SagaRecord.Status.Name(self.record.status).lower()

    def step(self, name: str) -> saga_pb2.TaskRecord:
        for task in self.record.tasks:
            if task.path == name:
                return task
        known = (
            ", ".join(task.path for task in self.record.tasks) or "none: it has not begun; begin it with given(EVENT)"
        )
        raise AssertionError(f"the saga has no step {name!r}; there are {known}")

    def step_status(self, name: str) -> str:
        return task_name(self.step(name))

    def expect_waiting(self, event_type: type[Message], key: str) -> Self:
        """The saga waits for an event of this type and key now."""
        waits = self._keys.waits()
        assert (event_type.DESCRIPTOR.full_name, key) in waits, f"it waits for {waits or 'no event'}; {self._where()}"
        return self

    def expect_locked(self, name: str, key: str) -> Self:
        """The saga holds a lock on this key now."""
        holders = [one.saga for one in self._locks.record(name, key).holders]
        assert self._address() in holders, f"{key!r} is held by {', '.join(holders) or 'nobody'}; {self._where()}"
        return self

    def expect_key(self, key: str, holder: str | None = None) -> Self:
        """The saga holds this key now; or this other holder does, or nobody: an empty text."""
        wanted = address_of(self._behaviour.kind, self.key) if holder is None else holder
        found = self._keys.holders().get(key, "")
        assert found == wanted, f"the key {key!r} is held by {found or 'nobody'}; {self._where()}"
        return self

    def expect(self, *wanted: Message | type[Message]) -> Self:
        """The saga sent exactly these messages, in this order. Each is given by its value or by its type."""
        sent = [one.message for one in self._outgoing]
        same = len(sent) == len(wanted) and all(map(fits, sent, wanted))
        assert same, f"sent {list(map(told, sent))}, not {list(map(told, wanted))}; {self._where()}"
        return self

    def expect_ignored(self, about: str) -> Self:
        """The message had no effect, and the note in the history contains `about`."""
        decision = self.decision
        assert decision.outcome is Outcome.IGNORED, f"the message was {decision.outcome}; {self._where()}"
        assert about in decision.note, f"the note is {decision.note!r}, without {about!r}"
        return self

    def expect_status(self, status: str, reason: str = "") -> Self:
        """`status` is a word of SagaRecord.Status, in small letters; `reason` is part of its reason."""
        assert self.status == status, f"not {status}; {self._where()}"
        said = self.record.stuck_reason if status == "stuck" else self.record.reason
        assert reason in said, f"the reason is {said!r}, without {reason!r}"
        return self

    def _address(self) -> str:
        return address_of(self._behaviour.kind, self.key)

    def _where(self) -> str:
        steps = ", ".join(f"{task.path} {task_name(task)}" for task in self.record.tasks)
        return f"the saga is {self.status} ({steps}); note {self.decision.note!r}"
