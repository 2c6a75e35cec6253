"""What a method of the desk may do: read, or change something. What is not in the table is refused.

call ──▶ EdgeInterceptor ──▶ RightsInterceptor ──▶ Callers: who is it, and what may he? ──▶ the method
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import Enum
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any, Final, cast
from urllib.parse import unquote

import grpc
import grpc.aio

from runtime.gateway.bodies import Context
from runtime.gateway.codes import NotAllowed
from runtime.gateway.operators.authenticator import Authenticator
from runtime.gateway.operators.operator import Operator
from runtime.protos import admin_pb2

__all__ = ["RIGHTS", "SERVICE", "Callers", "Right", "RightsInterceptor", "is_granted", "is_loopback"]

SERVICE: Final[str] = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name


class Right(Enum):
    READ = "read"  # granted to all who may call
    ACT = "act"  # granted by whoever starts the server, and to operators who may act


RIGHTS: Mapping[str, Right] = MappingProxyType(
    {
        "ListSagas": Right.READ,
        "ExplainSaga": Right.READ,
        "GetHistory": Right.READ,
        "PreviewAct": Right.READ,
        "Act": Right.ACT,
        "WatchSagas": Right.READ,
        "GetConversation": Right.READ,
        "ListNodes": Right.READ,
        "ListDeadLetters": Right.READ,
        "GroupDeadLetters": Right.READ,
        "ReplayDeadLetter": Right.ACT,
        "DiscardDeadLetter": Right.ACT,
        "ListTimers": Right.READ,
        "ListDefinitions": Right.READ,
        "ListProofs": Right.READ,
        "ListPauses": Right.READ,
        "StartBatch": Right.ACT,
        "GetBatch": Right.READ,
        "ContinueBatch": Right.ACT,
        "StartLetterBatch": Right.ACT,
        "WatchBatch": Right.READ,
        "CancelBatch": Right.ACT,
        "ListBatches": Right.READ,
        "ListActs": Right.READ,
    }
)
"""By method. A test holds the table complete."""

_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]
_MAKERS: Mapping[bool, Callable[..., Any]] = {
    False: grpc.unary_unary_rpc_method_handler,
    True: grpc.unary_stream_rpc_method_handler,
}
"""By whether a method answers by a stream. No method of the desk is asked by one; a test holds that."""


class Callers:
    """Who calls, and what he may do: what his rights and the server's offer have in common."""

    def __init__(self, *, allow_acts: bool, authenticator: Authenticator | None = None) -> None:
        self._allow_acts = allow_acts
        self._authenticator = authenticator

    def operator(self, context: Context) -> Operator | None:
        """None where nobody is asked who he is. Raises NotKnown, CannotTell."""
        if self._authenticator is None:
            return None
        sent = [(name, value) for name, value in context.invocation_metadata() or () if isinstance(value, str)]

        def header(name: str) -> str:  # One that was sent twice is joined, as in HTTP: it names nobody then.
            return ",".join(value for one, value in sent if one == name)

        return self._authenticator.of(header, from_loopback=is_loopback(context.peer()))

    def check(self, method: str, context: Context) -> None:
        """Raises NotKnown, CannotTell, NotAllowed."""
        operator = self.operator(context)
        if operator is not None and not operator.may_act and not is_granted(method, _granted(allow_acts=False)):
            raise NotAllowed(f"{method} changes something, and {operator.name} may only read")
        if not is_granted(method, _granted(allow_acts=self._allow_acts)):
            raise NotAllowed(
                f"{method} changes something, and this server only lets its callers read; who runs it may start it "
                "with --allow-acts, or with admin_acts=allow on a node"
            )


class RightsInterceptor(grpc.aio.ServerInterceptor):
    """Lets calls of the desk pass that have the right to. Calls of other services on the server pass as they are."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._checked: dict[str, Any] = {}  # handlers by method; bounded by the methods that the service has

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        service, _, method = handler_call_details.method.removeprefix("/").partition("/")
        if handler is None or service != SERVICE:
            return handler
        if method not in self._checked:
            self._checked[method] = self._checking(method, handler)
        return self._checked[method]

    def _checking(self, method: str, handler: Any) -> object:
        async def one(request: object, context: Context) -> object:
            self._callers.check(method, context)
            return await handler.unary_unary(request, context)

        async def several(request: object, context: Context) -> AsyncIterator[object]:
            self._callers.check(method, context)
            async for answer in handler.unary_stream(request, context):
                yield answer

        made: Any = _MAKERS[handler.response_streaming](
            cast("Any", several if handler.response_streaming else one),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )
        return made


def is_granted(method: str, granted: frozenset[Right]) -> bool:
    """A method without a right is granted nothing."""
    return method in RIGHTS and RIGHTS[method] in granted


def is_loopback(peer: str) -> bool:
    """Of a caller as gRPC names it: ipv4:127.0.0.1:4711, ipv6:%5B::1%5D:4711."""
    family, _, rest = unquote(peer).partition(":")
    if family not in ("ipv4", "ipv6"):
        return False
    try:
        address = ip_address(rest.rpartition(":")[0].strip("[]").partition("%")[0])
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _granted(*, allow_acts: bool) -> frozenset[Right]:
    return frozenset(Right) if allow_acts else frozenset({Right.READ})
