"""The client of programs outside a cluster: the same calls as inside a node, over gRPC to any of its nodes.

    async with connect("127.0.0.1:7650", contracts=[trip_pb2]) as client:
        outcome = await client.ask(OpenFlight(flight="LX1", seats=180))

Calls that are under way at once share a stream. A node that is not to be reached, or cannot at present, is left for the
next address, after a pause that grows. Since each command has an id, made here if need be, asking again is safe: it is
handled once, whichever nodes were asked.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from types import ModuleType
from typing import Any, Unpack

import grpc
import grpc.aio
from google.protobuf.message import Message

from runtime.adapters import ignore, system_ports
from runtime.contracts import Contracts
from runtime.durable.client import (
    TIMEOUT_S,
    ActorState,
    Client,
    CommandAccepted,
    CommandOptions,
    CommandOutcome,
    check_command,
    timeout_s_of,
)
from runtime.durable.traces.place import kept_traceparent
from runtime.durations import Span
from runtime.envelope import address_of
from runtime.errors import (
    AmendsError,
    BacklogFull,
    DeadlineExceeded,
    InvalidDefinition,
    InvalidSettings,
    LinkLost,
    UnknownMessageType,
)
from runtime.gateway.calls.channel import CallsChannel
from runtime.gateway.interceptors import CALL_DEFAULT_S
from runtime.gateway.remote_errors import AGAIN, error_of, is_unconnected
from runtime.gateway.tries import Tries
from runtime.ports import Ports
from runtime.protos import client_pb2, client_pb2_grpc

__all__ = ["PATIENCE_S", "RemoteClient", "connect"]

PATIENCE_S = 10.0
"""How long a client goes on asking when no node is to be reached, or none can answer at present."""

_SLACK_S = 1.0  # the node's own word that it took too long says more than a connection that is cut
_LATER = 0.5  # of the pause that a node asks for: who comes back comes by so much later, at most
_OPTIONS = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 2000),  # doubles as the connect timeout
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),  # finds a dead machine, or a frozen process, under a watch
    ("grpc.keepalive_timeout_ms", 5000),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
]


@asynccontextmanager
async def connect(
    *addresses: str, contracts: Iterable[ModuleType] = (), patience: Span = PATIENCE_S
) -> AsyncIterator[Client]:
    """A client of the cluster that has a node at each of these addresses (HOST:PORT), for as long as the block runs.

    `contracts` are the generated modules of what is sent and read. Nothing is dialled yet. Raises InvalidSettings for
    what is no address, and InvalidDefinition for what is no module of messages.
    """
    if isinstance(contracts, ModuleType):
        raise InvalidDefinition(f"contracts is a list of modules: contracts=[{contracts.__name__.rpartition('.')[2]}]")
    modules = tuple(contracts)
    for module in modules:
        if not hasattr(module, "DESCRIPTOR"):
            raise InvalidDefinition(f"contracts names {module!r}, which is no generated module such as trip_pb2")
    client = RemoteClient(addresses, Contracts(modules), system_ports(ignore), timeout_s_of(patience))
    try:
        yield client
    finally:
        await client.close()


class RemoteClient(Client):
    """Asks one node for as long as it answers, then the next. `close` it once."""

    def __init__(self, addresses: Sequence[str], contracts: Contracts, ports: Ports, patience_s: float) -> None:
        self._contracts = contracts
        self._addresses = tuple(map(_checked, addresses))
        if not addresses:
            raise InvalidSettings("a client needs the address of a node at least, such as 127.0.0.1:7650")
        self._ports = ports
        self._patience_s = patience_s
        self._at = 0
        self._channels: dict[str, grpc.aio.Channel] = {}

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close()

    @property
    def contracts(self) -> Contracts:
        return self._contracts

    async def send(
        self, command: Message, *, timeout: Span = TIMEOUT_S, **options: Unpack[CommandOptions]
    ) -> CommandAccepted:
        request = self._request(command, options)
        receipt: client_pb2.CommandReceipt = await self._call("Send", request, timeout_s_of(timeout), options)
        return CommandAccepted(receipt.id, receipt.conversation)

    async def ask(
        self, command: Message, *, timeout: Span = TIMEOUT_S, **options: Unpack[CommandOptions]
    ) -> CommandOutcome:
        request = self._request(command, options)
        return self._outcome(await self._call("Ask", request, timeout_s_of(timeout), options))

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
        request = client_pb2.CancelRequest(kind=kind, key=key, reason=reason, id=message_id or self._new_id())
        options = CommandOptions(traceparent=traceparent)
        return self._outcome(await self._call("Cancel", request, timeout_s_of(timeout), options))

    async def read(self, kind: str, key: str) -> ActorState | None:
        request = client_pb2.ActorRequest(kind=kind, key=key)
        reply: client_pb2.ActorReply = await self._call("Read", request, TIMEOUT_S, {})
        return self._state(kind, key, reply) if reply.revision else None

    @asynccontextmanager
    async def watch(self, kind: str, key: str) -> AsyncIterator[AsyncIterator[ActorState]]:
        async with aclosing(self._watch(kind, key)) as states:
            yield states

    async def _watch(self, kind: str, key: str) -> AsyncGenerator[ActorState, None]:
        seen, tries = 0, Tries(self._ports, self._patience_s)
        while True:
            call = self._stub().Watch(client_pb2.ActorRequest(kind=kind, key=key))
            try:
                await call.wait_for_connection()
                tries = Tries(self._ports, self._patience_s)
                async for reply in call:
                    if reply.revision > seen:
                        seen = reply.revision
                        yield self._state(kind, key, reply)
                failure: AmendsError = LinkLost(f"{self._address} has ended the watch of {address_of(kind, key)}")
            except grpc.aio.AioRpcError as error:
                failure = error_of(error, self._address)
                if error.code() not in AGAIN:
                    raise failure from None
            finally:
                call.cancel()
            if not await tries.again():
                raise failure
            self._at += 1

    # --- calls ---

    def _request(self, command: Message, options: CommandOptions) -> client_pb2.CommandRequest:
        check_command(command, options)
        return client_pb2.CommandRequest(
            type=self._contracts.of(command).name,
            body=command.SerializeToString(),
            id=options.get("message_id") or self._new_id(),
            kind=options.get("kind", ""),
            key=options.get("key", ""),
            process=options.get("process", ""),
            conversation=options.get("conversation", b""),
        )

    def _new_id(self) -> bytes:
        return int(self._ports.clock.now_s() * 1000).to_bytes(6, "big") + self._ports.ids.new_id()[:10]

    async def _call(self, method: str, request: Any, timeout_s: float, options: CommandOptions) -> Any:
        clock = self._ports.clock
        ends_s, tries, is_sent = clock.monotonic_s() + timeout_s, Tries(self._ports, self._patience_s), False
        trace = kept_traceparent(options.get("traceparent", ""))
        while True:
            asked = self._at
            left_s = max(min(ends_s - clock.monotonic_s(), CALL_DEFAULT_S), 0.0)
            if method != "Read":
                request.timeout_s = left_s
            call = getattr(self._stub(), method)
            try:
                return await call(
                    request, timeout=left_s + _SLACK_S, metadata=(("traceparent", trace),) if trace else None
                )
            except grpc.aio.AioRpcError as error:
                code, failure = error.code(), error_of(error, self._address_of(asked))
            if isinstance(failure, BacklogFull):
                await self._wait_for_room(failure, ends_s)
                self._leave(asked)
                continue
            is_sent = is_sent or not is_unconnected(failure)
            if code not in (*AGAIN, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise failure
            if ends_s <= clock.monotonic_s() or (code is grpc.StatusCode.DEADLINE_EXCEEDED and method == "Read"):
                raise self._expired(request, timeout_s, failure) if is_sent else failure
            if code in AGAIN and not await tries.again(ends_s):
                raise failure
            self._leave(asked)

    async def _wait_for_room(self, full: BacklogFull, ends_s: float) -> None:
        """Wait as long as the node says, and a part of that more, so that not all who were refused come back at once.

        Raises the error when the caller's time would be over by then.
        """
        pause_s = full.retry_after_s * (1 + _LATER * self._ports.randomness.fraction())
        if self._ports.clock.monotonic_s() + pause_s >= ends_s:
            raise full
        await self._ports.clock.sleep(pause_s)

    def _leave(self, asked: int) -> None:
        """Go on at the next address, unless another call has left this one already: calls under way stay together."""
        if self._at == asked:
            self._at += 1

    def _expired(self, request: Any, timeout_s: float, failure: AmendsError) -> DeadlineExceeded:
        if isinstance(request, client_pb2.ActorRequest):
            return DeadlineExceeded(f"{address_of(request.kind, request.key)} was not read in time: {failure}")
        return DeadlineExceeded(
            f"no answer within {timeout_s:g} s; what was heard last: {failure}. Whether the command was accepted is "
            f"not known: read the state, or send it again under its id {request.id.hex()}"
        )

    @property
    def _address(self) -> str:
        return self._address_of(self._at)

    def _address_of(self, number: int) -> str:
        return self._addresses[number % len(self._addresses)]

    def _stub(self) -> client_pb2_grpc.ClientAsyncStub:
        address = self._address
        if address not in self._channels:
            channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
            self._channels[address] = CallsChannel(channel, ports=self._ports)
        return client_pb2_grpc.ClientStub(self._channels[address])

    # --- answers ---

    def _outcome(self, reply: client_pb2.CommandReply) -> CommandOutcome:
        what = "the command was handled, and answered by"
        message = self._parsed(reply.type, reply.body, what) if reply.type else None
        return CommandOutcome(message, reply.fault, reply.id, reply.conversation)

    def _state(self, kind: str, key: str, reply: client_pb2.ActorReply) -> ActorState:
        state = self._parsed(reply.type, reply.body, f"the state of {address_of(kind, key)} is of")
        return ActorState(reply.revision, state, reply.conversation)

    def _parsed(self, name: str, body: bytes, what: str) -> Message:
        try:
            return self._contracts.parse(name, body)
        except UnknownMessageType as error:
            raise UnknownMessageType(f"{what} a message that this client cannot read: {error}") from None


def _checked(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise InvalidSettings(f"{address!r} is no HOST:PORT, such as 127.0.0.1:7650")
    return address
