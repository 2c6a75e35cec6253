"""What programs outside a cluster call on a node: `amends.Client`, answered by the node's own client.

    RemoteClient ──amends.Client/Ask──▶ EdgeInterceptor ──▶ ClientService ──▶ NodeClient
    RemoteClient ◀──code, text, the error's name────────────┘

A status code stands for several errors; the name of the one that was meant goes along in the trailing metadata.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Final

import grpc.aio
from google.protobuf.message import Message

import runtime.errors as errors
from runtime.contracts import RUNTIMES_OWN
from runtime.durable.client import ActorState, Client, CommandOptions, CommandOutcome
from runtime.errors import AmendsError, InvalidMessage
from runtime.gateway.interceptors import Context, time_left_s, traceparent
from runtime.protos import client_pb2, client_pb2_grpc

__all__ = ["ERROR_NAME", "add_client_service"]

ERROR_NAME: Final = "amends-error"
"""The trailing metadata that names the error."""


def add_client_service(server: grpc.aio.Server, client: Client) -> None:
    """Offer the service on a server that is not started yet."""
    client_pb2_grpc.add_ClientServicer_to_server(_ClientService(client), server)


class _ClientService(client_pb2_grpc.ClientServicer):
    def __init__(self, client: Client) -> None:
        self._client = client

    def _command(self, request: client_pb2.CommandRequest) -> Message:
        """Raises InvalidMessage for what is no message, or one that only the runtime sends."""
        command = self._client.contracts.parse(request.type, request.body)
        if command.DESCRIPTOR.file.package == RUNTIMES_OWN:
            raise InvalidMessage(f"{request.type} is sent by the runtime alone; a saga is cancelled by the call Cancel")
        return command

    async def Send(self, request: client_pb2.CommandRequest, context: Context) -> client_pb2.CommandReceipt:  # noqa: N802 - named by client.proto
        with _errors_named(context):
            command = self._command(request)
            timeout_s = _timeout_s(request.timeout_s, context)
            accepted = await self._client.send(command, timeout=timeout_s, **_options(request, context))
            return client_pb2.CommandReceipt(id=accepted.id, conversation=accepted.conversation)

    async def Ask(self, request: client_pb2.CommandRequest, context: Context) -> client_pb2.CommandReply:  # noqa: N802 - named by client.proto
        with _errors_named(context):
            command = self._command(request)
            timeout_s = _timeout_s(request.timeout_s, context)
            return _reply(await self._client.ask(command, timeout=timeout_s, **_options(request, context)))

    async def Cancel(self, request: client_pb2.CancelRequest, context: Context) -> client_pb2.CommandReply:  # noqa: N802 - named by client.proto
        with _errors_named(context):
            outcome = await self._client.cancel(
                request.kind,
                request.key,
                request.reason,
                timeout=_timeout_s(request.timeout_s, context),
                message_id=request.id,
                traceparent=traceparent(context),
            )
            return _reply(outcome)

    async def Read(self, request: client_pb2.ActorRequest, context: Context) -> client_pb2.ActorReply:  # noqa: N802 - named by client.proto
        with _errors_named(context):
            found = await self._client.read(request.kind, request.key)
            return client_pb2.ActorReply() if found is None else _state(found)

    async def Watch(self, request: client_pb2.ActorRequest, context: Context) -> AsyncIterator[client_pb2.ActorReply]:  # noqa: N802 - named by client.proto
        with _errors_named(context):
            async with self._client.watch(request.kind, request.key) as states:
                await context.send_initial_metadata(())  # the caller knows that it is heard, before there is a state
                async for state in states:
                    yield _state(state)


@contextmanager
def _errors_named(context: Context) -> Iterator[None]:
    try:
        yield
    except AmendsError as error:
        known = (one.__name__ for one in type(error).__mro__ if getattr(errors, one.__name__, None) is one)
        context.set_trailing_metadata(((ERROR_NAME, next(known)),))
        raise


def _timeout_s(wanted_s: float, context: Context) -> float:
    left_s = time_left_s(context)
    return min(wanted_s, left_s) if wanted_s > 0 else left_s


def _options(request: client_pb2.CommandRequest, context: Context) -> CommandOptions:
    return CommandOptions(
        message_id=request.id,
        kind=request.kind,
        key=request.key,
        process=request.process,
        conversation=request.conversation,
        traceparent=traceparent(context),
    )


def _reply(outcome: CommandOutcome) -> client_pb2.CommandReply:
    reply = client_pb2.CommandReply(fault=outcome.fault, id=outcome.id, conversation=outcome.conversation)
    if outcome.message is not None:
        reply.type = outcome.message.DESCRIPTOR.full_name
        reply.body = outcome.message.SerializeToString()
    return reply


def _state(found: ActorState) -> client_pb2.ActorReply:
    return client_pb2.ActorReply(
        revision=found.revision,
        type=found.state.DESCRIPTOR.full_name,
        body=found.state.SerializeToString(),
        conversation=found.conversation,
    )
