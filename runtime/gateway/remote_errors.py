"""What a call to a node failed by, as the error that the node meant: the way back from a status code."""

from __future__ import annotations

from typing import Final

import grpc
import grpc.aio

import runtime.errors as errors
from runtime.errors import (
    AmendsError,
    BacklogFull,
    DeadlineExceeded,
    InvalidMessage,
    LinkLost,
    MessageTooLarge,
    Overloaded,
)
from runtime.gateway.client_service import ERROR_NAME
from runtime.gateway.codes import PUSHBACK

__all__ = ["AGAIN", "error_of", "is_unconnected"]

AGAIN: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)
"""Codes after which another node may answer, or the same one later."""

_BY_CODE: dict[grpc.StatusCode, type[AmendsError]] = {  # of errors that no node has named
    grpc.StatusCode.INVALID_ARGUMENT: InvalidMessage,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
}


def error_of(error: grpc.aio.AioRpcError, address: str) -> AmendsError:
    """Of the class that the node at this address named; of a connection that failed it is LinkLost."""
    code, text = error.code(), error.details() or error.code().name
    name = next((str(value) for key, value in error.trailing_metadata() or () if key == ERROR_NAME), "")
    named = getattr(errors, name, None)
    if named is BacklogFull:
        told = next((str(value) for key, value in error.trailing_metadata() or () if key == PUSHBACK), "")
        return BacklogFull(text, retry_after_s=int(told) / 1000) if told.isdigit() else BacklogFull(text)
    if isinstance(named, type) and issubclass(named, AmendsError):
        return named(text)
    if code in AGAIN:
        return LinkLost(f"no node answers at {address}, or it cannot at present ({text})")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:  # grpc's own words: for a message, or for too many calls
        return MessageTooLarge(text) if "larger than" in text else Overloaded(text)
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return AmendsError(f"the server at {address} is no node of Amends, or one of an older version ({text})")
    return _BY_CODE.get(code, AmendsError)(text)


def is_unconnected(error: AmendsError) -> bool:
    """Whether no connection was made, by grpc's own words, so that nothing was sent."""
    return isinstance(error, LinkLost) and "failed to connect" in str(error).lower()
