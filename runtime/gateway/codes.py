"""Which status code and which text a client gets for an error: one table for all services of a node."""

from __future__ import annotations

from typing import Final

import grpc

from runtime.errors import (
    ActorStopped,
    AmendsError,
    BacklogFull,
    CannotJoin,
    CommitUnknown,
    DeadlineExceeded,
    InvalidMessage,
    LinkLost,
    MessageTooLarge,
    NoSuchSaga,
    Overloaded,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreReadOnly,
    StoreReplaced,
    StoreUnavailable,
)
from runtime.gateway.operators.authenticator import CannotTell, NotKnown
from runtime.operate.act_refused import ActRefused
from runtime.operate.dead_letters import NotAwaited, NotFound, NotParked, StillNeeded
from runtime.operate.run import RunEnded, RunMoved

__all__ = ["PUSHBACK", "CallFailed", "NotAllowed", "code_of", "pushback_of", "told_to_clients"]

PUSHBACK: Final = "grpc-retry-pushback-ms"
"""The trailing metadata that says after how many ms to try again, by gRPC's own specification of retries (A6)."""


class NotAllowed(AmendsError):
    """The method is offered, and whoever runs this server has not allowed it."""


class CallFailed(AmendsError):
    """A method's own refusal: the code and the text that the client gets."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        super().__init__(text)
        self.code = code


_CODES: tuple[tuple[type[AmendsError], grpc.StatusCode], ...] = (
    # UNAVAILABLE means "try again". RESOURCE_EXHAUSTED means it only with a time in the trailing metadata (PUSHBACK).
    (MessageTooLarge, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (BacklogFull, grpc.StatusCode.RESOURCE_EXHAUSTED),
    (InvalidMessage, grpc.StatusCode.INVALID_ARGUMENT),
    (NoSuchSaga, grpc.StatusCode.NOT_FOUND),
    (CannotJoin, grpc.StatusCode.FAILED_PRECONDITION),
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (NotAllowed, grpc.StatusCode.PERMISSION_DENIED),
    (NotKnown, grpc.StatusCode.UNAUTHENTICATED),
    (CannotTell, grpc.StatusCode.UNAVAILABLE),
    # What is asked for does not fit what has become of it meanwhile: look again first.
    (ActRefused, grpc.StatusCode.FAILED_PRECONDITION),
    (NotParked, grpc.StatusCode.FAILED_PRECONDITION),
    (NotAwaited, grpc.StatusCode.FAILED_PRECONDITION),
    (StillNeeded, grpc.StatusCode.FAILED_PRECONDITION),
    (RunMoved, grpc.StatusCode.ABORTED),
    (RunEnded, grpc.StatusCode.FAILED_PRECONDITION),
    (DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
    (Overloaded, grpc.StatusCode.UNAVAILABLE),
    (StoreUnavailable, grpc.StatusCode.UNAVAILABLE),
    (StoreBusy, grpc.StatusCode.UNAVAILABLE),
    (StoreFull, grpc.StatusCode.UNAVAILABLE),
    (CommitUnknown, grpc.StatusCode.UNAVAILABLE),
    (ActorStopped, grpc.StatusCode.UNAVAILABLE),
    (LinkLost, grpc.StatusCode.UNAVAILABLE),
)

_STORE_TEXTS: tuple[tuple[type[StoreError], str], ...] = (
    (StoreFull, "the disk of the store is full, nothing was written; try again later"),
    (StoreBusy, "the store is held by another process, nothing was written; try again later"),
    (StoreReadOnly, "the store cannot be written; its operator has to see to it"),
    (StoreCorrupt, "the store is damaged; its operator has to see to it"),
    (StoreReplaced, "the store of this node was replaced; its operator has to see to it"),
    (CommitUnknown, "the outcome is unknown; ask for the state, or send the same message id again"),
    (StoreError, "the store cannot be reached at present; try again later"),
)


def code_of(error: AmendsError) -> grpc.StatusCode:
    """The code a client gets. UNAVAILABLE means that the same call may succeed later; INTERNAL that it needs people."""
    if isinstance(error, CallFailed):
        return error.code
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def pushback_of(error: BaseException) -> tuple[tuple[str, str], ...]:
    """What the trailing metadata say beside the code: when to send the same again, if the node knows."""
    return ((PUSHBACK, str(round(error.retry_after_s * 1000))),) if isinstance(error, BacklogFull) else ()


def told_to_clients(error: BaseException) -> tuple[grpc.StatusCode, str]:
    """The code and the text for an error that a method raised."""
    if isinstance(error, NotImplementedError):  # The service of this node leaves a method of the generated base out.
        return grpc.StatusCode.UNIMPLEMENTED, "this node does not offer the method"
    text = str(error)
    if isinstance(error, StoreError) and "/" in text:  # Where the store lies is for operators only: the log has it.
        text = next(told for kind, told in _STORE_TEXTS if isinstance(error, kind))
    return (code_of(error) if isinstance(error, AmendsError) else grpc.StatusCode.INTERNAL), text
