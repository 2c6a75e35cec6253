"""What a method of the desk may do: read, or change something. What is not in the table is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NoReturn, cast

import grpc
import grpc.aio

from runtime.gateway.codes import NotAllowed
from runtime.protos import admin_pb2

__all__ = ["RIGHTS", "SERVICE", "Right", "RightsInterceptor"]

SERVICE: Final[str] = admin_pb2.DESCRIPTOR.services_by_name["AdminService"].full_name


class Right(Enum):
    READ = "read"  # always granted
    ACT = "act"  # granted by whoever starts the server


RIGHTS: Mapping[str, Right] = MappingProxyType(
    {
        "ListSagas": Right.READ,
        "ExplainSaga": Right.READ,
        "GetHistory": Right.READ,
        "PreviewAct": Right.READ,
        "Act": Right.ACT,
        "ListDeadLetters": Right.READ,
        "ReplayDeadLetter": Right.ACT,
        "DiscardDeadLetter": Right.ACT,
        "ListTimers": Right.READ,
        "ListDefinitions": Right.READ,
        "ListPauses": Right.READ,
        "StartBatch": Right.ACT,
        "GetBatch": Right.READ,
        "ContinueBatch": Right.ACT,
    }
)
"""By method. A test holds the table complete."""

_Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]


class RightsInterceptor(grpc.aio.ServerInterceptor):
    """Lets calls of the desk pass that have the right to. Calls of other services on the server pass as they are."""

    def __init__(self, *, allow_acts: bool) -> None:
        self._granted = frozenset(Right) if allow_acts else frozenset({Right.READ})
        self._refused: dict[str, Any] = {}  # handlers by method; bounded by the methods that the service has

    async def intercept_service(
        self, continuation: _Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        handler = await continuation(handler_call_details)
        service, _, method = handler_call_details.method.removeprefix("/").partition("/")
        if handler is None or service != SERVICE or is_granted(method, self._granted):
            return handler
        if method not in self._refused:
            self._refused[method] = _refusing(method, handler)
        return self._refused[method]


def is_granted(method: str, granted: frozenset[Right]) -> bool:
    """A method without a right is granted nothing."""
    return method in RIGHTS and RIGHTS[method] in granted


def _refusing(method: str, handler: Any) -> object:
    async def refuse(request: object, context: object) -> NoReturn:
        raise NotAllowed(
            f"{method} changes something, and this server only lets its callers read; who runs it may start it with "
            "--allow-acts, or with admin_acts=allow on a node"
        )

    made: Any = grpc.unary_unary_rpc_method_handler(
        cast("Any", refuse),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )
    return made
