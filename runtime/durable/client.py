"""What clients of a cluster can do, wherever they run: send a command, ask for its outcome, read, watch, cancel a saga.

a gRPC service of one's own, in a node ──▶ NodeClient (node_client.py) ──────────▶ the store, and whoever owns the actor
a program outside ──▶ RemoteClient (gateway/remote_client.py) ──gRPC──▶ any node's NodeClient
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import TypedDict, Unpack

from google.protobuf.message import Message

from runtime.contracts import Contracts
from runtime.durable.saga_end import SagaEnd, end_of
from runtime.durations import SPAN_MAX_S, Span, in_seconds, shown
from runtime.envelope import address_of
from runtime.errors import InvalidMessage, NoSuchSaga
from runtime.protos.saga_pb2 import CancelSaga, SagaRecord
from runtime.record import record

__all__ = [
    "TIMEOUT_S",
    "ActorState",
    "Client",
    "CommandAccepted",
    "CommandOptions",
    "CommandOutcome",
    "check_command",
    "timeout_s_of",
]

TIMEOUT_S = 30.0
"""How long a call waits when nothing else is said."""


@record(frozen=True, slots=True)
class CommandAccepted:
    """A command that lies in its actor's mailbox: it will be handled, whoever dies."""

    id: bytes
    conversation: bytes


@record(frozen=True, slots=True)
class CommandOutcome:
    """What became of a command."""

    message: Message | None  # the first event its handler returned; None when it returned none or it is not known here
    fault: str  # why it will not be handled; empty when it was
    id: bytes  # of the command
    conversation: bytes


@record(frozen=True, slots=True)
class ActorState:
    """An actor's committed state, as read. Of a saga the message is a SagaRecord, with the business state in it."""

    revision: int
    state: Message
    conversation: bytes  # the one that made the actor; empty when the state came as a change


class CommandOptions(TypedDict, total=False):
    """What may be said of a command beside its content."""

    message_id: bytes
    """16 bytes that make it idempotent; see Client."""
    kind: str
    """Of the actor that gets it, for a message whose contract names none."""
    key: str
    """Of the actor that gets it, instead of the one in the message."""
    process: str
    """The choreography that the command joins, whose reactions then hear what follows. An unknown one is refused."""
    conversation: bytes
    """The one that it continues; it begins its own otherwise."""
    traceparent: str
    """The W3C trace context of whoever asks."""


def timeout_s_of(timeout: Span) -> float:
    """A timeout in seconds; one below 0 is over. Raises InvalidMessage when it is no span of time."""
    timeout_s: object = in_seconds(timeout)
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, int | float) or math.isnan(timeout_s):
        raise InvalidMessage(f"timeout is a timedelta or a number of seconds, not {shown(timeout)}")
    return min(max(timeout_s, 0.0), SPAN_MAX_S)


def check_command(command: object, options: CommandOptions) -> None:
    """Raises InvalidMessage for what is no message at all, and for an option that there is not."""
    if not isinstance(command, Message):
        raise InvalidMessage(f"a command is a message such as trip_pb2.StartTrip(...), not {shown(command)}")
    known = CommandOptions.__annotations__
    for name in options:
        if name not in known:
            raise InvalidMessage(f"a command has no option {name!r}; it has timeout, {', '.join(known)}")


class Client(ABC):
    """Sends commands, and looks at what became of them. `timeout` is a timedelta or seconds.

    Each command has an id of 16 bytes. Who gives the same `message_id` again, because an answer was lost, sends the
    same command: it is handled once, and the outcome of the first is the outcome of all, without the answering event.
    One id for two commands is refused. An id begins with the ms since 1970 at which it was made (48 bits, big-endian),
    so that it can be refused when it is older than the retention; one that begins with ff has no time, and is new again
    after that.
    """

    @property
    @abstractmethod
    def contracts(self) -> Contracts:
        """The message types that can be sent and read."""

    @abstractmethod
    async def send(
        self, command: Message, *, timeout: Span = TIMEOUT_S, **options: Unpack[CommandOptions]
    ) -> CommandAccepted:
        """Post a command; returns once it is durable, whatever its handler will say. Raises as `ask` does."""

    @abstractmethod
    async def ask(
        self, command: Message, *, timeout: Span = TIMEOUT_S, **options: Unpack[CommandOptions]
    ) -> CommandOutcome:
        """Post a command and wait until it was handled, or given up: then the outcome says why in `fault`.

        Raises InvalidMessage, MessageTooLarge, MessageTooOld, Overloaded or StoreError when it was not accepted, and
        DeadlineExceeded when it was accepted, or may have been, but no outcome is known yet.
        """

    @abstractmethod
    async def read(self, kind: str, key: str) -> ActorState | None:
        """The committed state of an actor; None if there is none. Raises StoreError."""

    @abstractmethod
    def watch(self, kind: str, key: str) -> AbstractAsyncContextManager[AsyncIterator[ActorState]]:
        """The state of an actor each time it changed: first as it is, if it is; intermediate states may be skipped."""

    async def cancel(
        self,
        kind: str,
        key: str,
        reason: str,
        *,
        timeout: Span = TIMEOUT_S,
        message_id: bytes = b"",
        traceparent: str = "",
    ) -> CommandOutcome:
        """Have a saga turn back. It answers with CancelAccepted, or with CancelRefused when there is no way back.

        Raises NoSuchSaga when there is none, or none that has begun yet, and what `ask` raises.
        """
        found = await self.read(kind, key)
        if found is None:
            raise NoSuchSaga(f"there is no saga {address_of(kind, key)}, or its start is still on its way")
        if not isinstance(found.state, SagaRecord):
            raise InvalidMessage(f"{address_of(kind, key)} is a service and no saga: only a saga can be cancelled")
        if not found.state.definition:
            raise NoSuchSaga(f"the saga {address_of(kind, key)} has not begun, or its start is still on its way")
        return await self.ask(
            CancelSaga(reason=reason),
            timeout=timeout,
            message_id=message_id,
            kind=kind,
            key=key,
            process=kind,
            conversation=found.conversation,
            traceparent=traceparent,
        )

    async def saga_end(self, kind: str, key: str) -> SagaEnd:
        """Wait until a saga has ended, or is stuck: SagaCompleted with its result, SagaCompensated, or SagaStuck.

        A saga that is not there yet is waited for, and so is one that takes days: `asyncio.timeout` limits that. Raises
        what `watch` raises, and InvalidMessage when the kind is a service.
        """
        async with self.watch(kind, key) as states:
            async for one in states:
                if not isinstance(one.state, SagaRecord):
                    raise InvalidMessage(f"{address_of(kind, key)} is a service and no saga: it has no end")
                if (end := end_of(one.state)) is not None:
                    return end
        raise NoSuchSaga(f"nobody tells of the saga {address_of(kind, key)} any more")
