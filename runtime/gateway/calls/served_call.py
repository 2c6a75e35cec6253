"""One call of a stream, as the method sees it that serves the call: its deadline, its metadata, how to refuse it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Never

import grpc
import grpc.aio

from runtime.gateway.calls.frames import RESPONSE_BYTES_MAX
from runtime.ports import Clock
from runtime.protos import calls_pb2

__all__ = ["Opened", "StreamedCall"]

_OF_THE_CALL = frozenset(("traceparent", "tracestate"))


@dataclass(frozen=True, slots=True)
class Opened:
    """What the opening of a stream has told of its client. It is read once: grpc's context must not be asked later.

    When the stream is over, the context's `peer()` reads memory that is gone, and the process dies.
    """

    peer: str
    metadata: tuple[tuple[str, Any], ...]
    identities: Any
    identity_key: Any
    auth: Any

    @classmethod
    def of(cls, context: grpc.aio.ServicerContext[Any, Any]) -> Opened:
        metadata = tuple((name, value) for name, value in context.invocation_metadata() or ())
        told: Any = context
        return cls(context.peer(), metadata, told.peer_identities(), told.peer_identity_key(), told.auth_context())


class StreamedCall:
    """Stands for grpc's context of a unary call. What can only be done to a call by itself is missing."""

    def __init__(self, call: calls_pb2.Call, opened: Opened, clock: Clock) -> None:
        self._id = call.id
        self._own = tuple(call.metadata.items())
        self._opened = opened
        self._clock = clock
        self._ends_s = clock.monotonic_s() + call.timeout_s if call.timeout_s else None
        self._trailing: tuple[tuple[str, Any], ...] = ()
        self._code: Any = None
        self._text = ""

    def peer(self) -> str:
        return self._opened.peer

    def peer_identities(self) -> Any:
        return self._opened.identities

    def peer_identity_key(self) -> Any:
        return self._opened.identity_key

    def auth_context(self) -> Any:
        return self._opened.auth

    def time_remaining(self) -> float | None:
        """Seconds; None when the caller did not say how long it waits."""
        return None if self._ends_s is None else max(self._ends_s - self._clock.monotonic_s(), 0.0)

    def invocation_metadata(self) -> tuple[tuple[str, Any], ...]:
        """What the stream was opened with, and what the call brings along beside it.

        A name that both have is the stream's, since a proxy may vouch for it there: no call can claim to be somebody
        else. Only the trace is the call's.
        """
        given = self._opened.metadata
        if not self._own:
            return given
        own = {name: value for name, value in self._own if name in _OF_THE_CALL}
        kept = tuple(pair for pair in given if pair[0] not in own)
        taken = {name for name, _ in kept}
        return (*kept, *(pair for pair in self._own if pair[0] not in taken))

    def trailing_metadata(self) -> tuple[tuple[str, Any], ...]:
        return self._trailing

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._trailing = tuple(trailing_metadata)

    def set_code(self, code: grpc.StatusCode) -> None:
        self._code = code

    def set_details(self, details: str) -> None:
        self._text = details

    def code(self) -> Any:
        return self._code

    def details(self) -> str:
        return self._text

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        """An answer has none."""

    async def abort(self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()) -> Never:
        self._code, self._text = code, details
        self._trailing = (*self._trailing, *trailing_metadata)
        raise grpc.aio.AbortError

    # --- for the stream ---

    def refused(self, code: grpc.StatusCode, text: str) -> calls_pb2.CallAnswer:
        self._code, self._text = code, text
        return self.answer(b"")

    def answer(self, response: bytes) -> calls_pb2.CallAnswer:
        """What goes back: the response, or what the method aborted the call with."""
        if len(response) > RESPONSE_BYTES_MAX:
            return self._too_large(len(response))
        answer = calls_pb2.CallAnswer(id=self._id, response=response)
        if self._code is not None:
            answer.code, answer.text = self._code.value[0], self._text
        for name, value in self._trailing:
            answer.metadata[name] = value
        return answer

    def _too_large(self, size: int) -> calls_pb2.CallAnswer:
        text = f"the response has {size} bytes, and a stream takes {RESPONSE_BYTES_MAX}: call the method by itself"
        code = grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        return calls_pb2.CallAnswer(id=self._id, code=code, text=text, too_large=True)
