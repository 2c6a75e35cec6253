"""What durable actors report to operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from runtime.ports import Fact

__all__ = [
    "ActivationReloaded",
    "ActorLent",
    "ActorNeedsHelp",
    "ClockOffPace",
    "HandlerFailed",
    "KindRecovered",
    "KindThrottled",
    "MessageParked",
    "MessagePutOff",
    "NobodyListens",
    "PushRejected",
    "SweepFailed",
]


@dataclass(frozen=True, slots=True)
class ClockOffPace(Fact):
    """The clock is so far ahead of the time that nodes have lived through: it jumped, or none ran for so long.

    History is kept until it has been lived through for the whole retention.
    """

    level: ClassVar[str] = "warning"
    ahead_s: float


@dataclass(frozen=True, slots=True)
class HandlerFailed(Fact):
    level: ClassVar[str] = "warning"
    address: str
    message: str
    id: str
    attempts: int
    retry_in_s: float
    error: str


@dataclass(frozen=True, slots=True)
class MessageParked(Fact):
    level: ClassVar[str] = "error"
    address: str
    message: str
    id: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class NobodyListens(Fact):
    """An event that nobody listens to in its process, said once. Where it is meant, a choreography has it in `ends`."""

    level: ClassVar[str] = "warning"
    address: str  # of who said it first
    message: str
    process: str  # empty: no process drives the conversation


@dataclass(frozen=True, slots=True)
class MessagePutOff(Fact):
    """No node that tried it can handle it, as the error says; one of another build can."""

    level: ClassVar[str] = "warning"
    address: str
    message: str
    id: str
    again_in_s: float
    error: str


@dataclass(frozen=True, slots=True)
class ActorLent(Fact):
    """This node owns an actor and lacks the version that began it; `to` has that, and runs it."""

    address: str
    to: str
    lacks: str


@dataclass(frozen=True, slots=True)
class ActivationReloaded(Fact):
    """An actor was dropped from memory because what it knew was no longer true, or the store did not answer."""

    level: ClassVar[str] = "warning"
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class ActorNeedsHelp(Fact):
    """An actor came to rest where only a person can help; what it says is in its state as well."""

    level: ClassVar[str] = "error"
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class PushRejected(Fact):
    """Bytes that a peer sent are no message that this node can place."""

    level: ClassVar[str] = "error"
    peer: str
    error: str


@dataclass(frozen=True, slots=True)
class SweepFailed(Fact):
    level: ClassVar[str] = "warning"
    kind: str
    error: str


@dataclass(frozen=True, slots=True)
class KindThrottled(Fact):
    level: ClassVar[str] = "error"
    kind: str
    failures: int
    pause_s: float


@dataclass(frozen=True, slots=True)
class KindRecovered(Fact):
    kind: str
