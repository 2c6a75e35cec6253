"""The node that a command of the client asks: the calls to it, and the exit codes for what it refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NoReturn

import click
import grpc
import grpc.aio
from rich.console import Console

from actors.client import screen
from protos import orders_pb2_grpc
from protos.orders_pb2 import Order, Stock
from protos.sales_pb2 import OrderStatus
from runtime.adapters import SystemIds
from runtime.gateway.calls.channel import CallsChannel
from runtime.observe.console import UNWRITTEN, unwritten

__all__ = ["NO_NODE", "RequestFailed", "Shop"]

NO_NODE = 3
"""The exit code when no node answers, or takes what is new."""

_RETRY_POLICY = {  # every call may be repeated; a node that starts or is busy answers soon
    "maxAttempts": 4,
    "initialBackoff": "0.2s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
_SERVICE_CONFIG = {"methodConfig": [{"name": [{"service": "shop.OrderService"}], "retryPolicy": _RETRY_POLICY}]}
_PATIENCE_S = 2.0  # as long as the policy goes on: a stream that breaks is dialled again, and asked the same again
_EXITS = {
    grpc.StatusCode.INVALID_ARGUMENT: 2,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 2,
    grpc.StatusCode.UNAVAILABLE: NO_NODE,
    grpc.StatusCode.NOT_FOUND: 4,
    grpc.StatusCode.ALREADY_EXISTS: 5,
    grpc.StatusCode.FAILED_PRECONDITION: 5,
    grpc.StatusCode.DEADLINE_EXCEEDED: 6,
}
_COME_AGAIN = "grpc-retry-pushback-ms"  # with RESOURCE_EXHAUSTED: too much waits at the node, which takes nothing new
_SURE = (2, 4, 5)  # exits after which it is known what came of the request


class RequestFailed(click.ClickException):
    """A line on stderr and an exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it for classes, and reads it from instances


@dataclass(frozen=True, slots=True)
class Shop:
    """The node that is asked, and how to show what it says."""

    node: str
    as_json: bool
    again: list[str] = field(default_factory=list)  # options by which the same command again is the same request

    @asynccontextmanager
    async def stub(self) -> AsyncIterator[orders_pb2_grpc.OrderServiceAsyncStub]:
        options = (("grpc.service_config", json.dumps(_SERVICE_CONFIG)),)
        channel = grpc.aio.insecure_channel(self.node, options=options)
        async with CallsChannel(channel, patience_s=_PATIENCE_S) as calls:
            yield orders_pb2_grpc.OrderServiceStub(calls)

    def show(self, message: Order | Stock) -> None:
        """Raises RequestFailed that names what was done, if the output takes no more."""
        what = f"order {message.order_id}" if isinstance(message, Order) else f"stock of {message.sku}"
        status = (
            f" is {screen.name_of(OrderStatus, message.status)}"
            if isinstance(message, Order)
            else " was read or changed"
        )
        self.shown(what + status, lambda: screen.show(message, Console(), as_json=self.as_json))

    def shown(self, what: str, show: Callable[[], object]) -> None:
        """Raises RequestFailed that says this, if the output takes not what is shown."""
        try:
            show()
        except (OSError, SystemExit) as error:  # rich ends the process when its pipe breaks
            if not (unwritten(error) or isinstance(error, SystemExit)):
                raise
            raise RequestFailed(f"{what}, and the output could not be written", UNWRITTEN) from error

    def new_id(self, option: str) -> str:
        """An id for a request that came without: told whenever nobody knows what became of the request."""
        id = SystemIds().new_id().hex()[:12]
        value = f"ORD-{id}" if option == "--order-id" else id
        self.again.append(f"{option} {value}")
        return value

    def repeated(self) -> str:
        return f"; to ask for the same again: {' '.join(self.again)}" if self.again else ""

    def fail(self, error: grpc.aio.AioRpcError) -> NoReturn:
        """Raise what a node has refused, with its exit code."""
        code, text = error.code(), error.details() or error.code().name
        if code is grpc.StatusCode.UNAVAILABLE:
            text = f"no node answers at {self.node}, or it cannot at present ({text})"
        elif code is grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"no answer in time, the outcome is unknown: get the order, or do the same again ({text})"
        elif code is grpc.StatusCode.UNIMPLEMENTED:
            text = f"the server at {self.node} is no node of the order system"
        exit_code = _EXITS.get(code, 1)
        if any(key == _COME_AGAIN for key, _ in error.trailing_metadata() or ()):
            exit_code = NO_NODE
        raise RequestFailed(text + ("" if exit_code in _SURE else self.repeated()), exit_code) from None
