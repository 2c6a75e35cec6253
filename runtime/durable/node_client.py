"""The client inside a node: posts a command to an actor's durable mailbox, waits for its outcome, reads, watches.

    gateway ──NodeClient.ask──▶ Posting ──▶ the store, as mail or with its turn ──▶ ... ──▶ the answer, to whoever waits

Once it is in the store the command is handled, or will be, whoever dies. An answer may still be lost with a node; then
the history tells that the command was handled, and the caller reads the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Unpack

from google.protobuf.message import DecodeError, Message

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
from runtime.durable.command_ids import check_alone, check_id, check_same, type_of
from runtime.durable.joining import Joining
from runtime.durable.known_kinds import KnownKinds
from runtime.durable.posting import OWN, Posting, ToPost
from runtime.durable.region.headroom import Headroom
from runtime.durable.region.router import Router
from runtime.durable.traces.place import kept_traceparent
from runtime.durable.waiting.actor_watch import POLL_S, ActorWatch
from runtime.durable.waiting.command import WaitingCommand
from runtime.durations import Span
from runtime.envelope import Envelope, address_of, check_key, check_size, wrong_kind
from runtime.errors import InvalidMessage, StoreCorrupt, StoreError, UnknownMessageType
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.store.committer import Committer
from runtime.store.port import OperatorStore
from runtime.store.records import Outcome

__all__ = ["NodeClient"]

_ACCEPTED = CommandOutcome(None, "", b"", b"")
_GIVEN_UP = frozenset((Outcome.FAULTED, Outcome.UNDONE))


def _nothing() -> None:
    """Of a command that is asked for, the answer says more than that it was accepted."""


class NodeClient(Client):
    """The client of one node: `node.client`, and what `launch(register=[...])` hands to services of one's own."""

    def __init__(
        self,
        router: Router,
        committer: Committer,
        store: OperatorStore,
        contracts: Contracts,
        ports: Ports,
        *,
        joining: Joining,
        headroom: Headroom,
        kinds: Iterable[str],
        message_bytes_max: int,
        retention_s: float,
    ) -> None:
        self._router = router
        self._calls = router.calls
        self._posting = Posting(router, committer, ports)
        self._store = store
        self._contracts = contracts
        self._ports = ports
        self._joining = joining
        self._headroom = headroom
        self._known_kinds = KnownKinds({*kinds, *(one.kind for one in contracts if one.is_command)}, store)
        self._message_bytes_max = message_bytes_max
        self._retention_s = retention_s

    @property
    def contracts(self) -> Contracts:
        return self._contracts

    async def send(
        self, command: Message, *, timeout: Span = TIMEOUT_S, **options: Unpack[CommandOptions]
    ) -> CommandAccepted:
        envelope = self._envelope(command, "", options)
        await self._check(envelope, options)
        self._ports.failpoint(Failpoint.COMMAND_RECEIVED)
        waiting = self._waiting(self._ports.tasks.new_future(), envelope, timeout)

        def known() -> None:
            self._ports.tasks.start(self._accept_again(waiting), name=f"id of {envelope.id.hex()}")

        is_given = bool(options.get("message_id"))
        self._posting.post(ToPost(waiting, is_given, known, lambda: waiting.succeed(_ACCEPTED)))
        expiry = self._ports.clock.call_later(waiting.timeout_s, lambda: waiting.fail(waiting.unposted()))
        try:
            await waiting.future
        finally:
            expiry.cancel()
        return CommandAccepted(envelope.id, envelope.conversation)

    async def ask(
        self, command: Message, *, timeout: Span = TIMEOUT_S, **options: Unpack[CommandOptions]
    ) -> CommandOutcome:
        call, future = self._calls.begin()
        try:
            envelope = self._envelope(command, call, options)
            await self._check(envelope, options)
            self._ports.failpoint(Failpoint.COMMAND_RECEIVED)
            waiting = self._waiting(future, envelope, timeout)
            is_given = bool(options.get("message_id"))
            self._posting.post(ToPost(waiting, is_given, lambda: self._look(waiting), _nothing))
            look = self._ports.clock.call_later(min(POLL_S, waiting.timeout_s), self._look, waiting)
            try:
                reply = await future
                self._ports.failpoint(Failpoint.OUTCOME_KNOWN)
            finally:
                look.cancel()
        finally:
            self._calls.end(call)
        return CommandOutcome(reply.message, reply.fault, envelope.id, envelope.conversation)

    async def read(self, kind: str, key: str) -> ActorState | None:
        (row,) = await self._store.load([(self._contracts.names.stored(kind), key)])
        if row is None:
            return None
        state = self._state(row.state_type, row.state, address_of(*row.address))
        return ActorState(row.revision, state, row.conversation)

    @asynccontextmanager
    async def watch(self, kind: str, key: str) -> AsyncIterator[AsyncIterator[ActorState]]:
        address = address_of(self._contracts.names.stored(kind), key)
        watch = ActorWatch(
            lambda: self.read(kind, key),
            lambda state_type, state: self._state(state_type, state, address),
            self._ports,
        )
        self._router.watches.add(address, watch.changed)
        self._router.remote_watches.begin(address)
        try:
            yield watch
        finally:
            if self._router.watches.remove(address, watch.changed):
                self._router.remote_watches.end(address)

    # --- posting ---

    def _envelope(self, command: Message, call: str, options: CommandOptions) -> Envelope:
        check_command(command, options)
        contract = self._contracts.of(command)
        kind, key, stored = options.get("kind", ""), options.get("key", ""), self._contracts.names.stored
        if kind and (wrong := wrong_kind(kind)):
            raise InvalidMessage(f"{contract.name} needs {wrong}")
        if not kind and not contract.is_command:
            raise InvalidMessage(f"{contract.name} is no command: its contract names no kind that handles it")
        body = command.SerializeToString()
        check_size(contract.name, body, self._message_bytes_max)
        now_s = self._ports.clock.now_s()
        id = options.get("message_id") or int(now_s * 1000).to_bytes(6, "big") + self._ports.ids.new_id()[:10]
        check_id(id, now_s, self._retention_s)
        self._joining.check_options(options)
        return Envelope(
            id=id,
            kind=stored(kind) or contract.kind,
            key=check_key(key, f"the key for {kind or contract.kind}") if key else contract.key(command),
            type=contract.name,
            body=body,
            conversation=options.get("conversation") or id,
            sent_at_s=now_s,
            process=stored(options.get("process", "")),
            answer_to=call,
            traceparent=kept_traceparent(options.get("traceparent", "")),
        )

    async def _check(self, envelope: Envelope, options: CommandOptions) -> None:
        """Raises InvalidMessage and CannotJoin, and BacklogFull for what begins something while there is no room."""
        await self._known_kinds.check(envelope.kind)
        await self._joining.check(envelope)
        if not self._headroom.is_full() or options.get("conversation") or envelope.type.startswith(OWN):
            return  # What goes on with something makes it end, and what the runtime sends has it turn back.
        if not options.get("message_id") or not await self._is_accepted(envelope):
            raise self._headroom.refusal()

    async def _is_accepted(self, envelope: Envelope) -> bool:
        """Whether a command of this id was accepted before. Raises StoreError."""
        (handled,) = await self._store.handled([(envelope.conversation, envelope.id)])
        shard = self._router.shard_of(envelope.key)
        return handled is not None or await self._store.mail_of(envelope.address, shard, envelope.id) is not None

    def _waiting(self, future: asyncio.Future[CommandOutcome], envelope: Envelope, timeout: Span) -> WaitingCommand:
        timeout_s = timeout_s_of(timeout)
        return WaitingCommand(future, envelope, timeout_s, self._ports.clock.monotonic_s() + timeout_s)

    async def _accept_again(self, waiting: WaitingCommand) -> None:
        """The id is known: the command was accepted before, unless it is another command's."""
        try:
            await self._outcome(waiting.envelope)
        except InvalidMessage as error:
            waiting.fail(error)
        else:
            waiting.succeed(_ACCEPTED)

    def _look(self, waiting: WaitingCommand) -> None:
        if not waiting.future.done():
            self._ports.tasks.start(self._poll(waiting), name=f"outcome of {waiting.envelope.id.hex()}")

    async def _poll(self, waiting: WaitingCommand) -> None:
        """Find the outcome in the store, until the deadline: another call asked first, or the answer was lost."""
        clock, future = self._ports.clock, waiting.future
        while not future.done():
            try:
                reply = await self._outcome(waiting.envelope)
            except InvalidMessage as error:
                waiting.fail(error)
                return
            self._ports.failpoint(Failpoint.OUTCOME_READ)
            left_s = waiting.deadline_s - clock.monotonic_s()
            if future.done():
                return
            if reply is not None:
                waiting.succeed(reply)
            elif left_s <= 0:
                waiting.fail(waiting.expired())
            else:
                await clock.sleep(min(left_s, POLL_S / 4))

    async def _outcome(self, envelope: Envelope) -> CommandOutcome | None:
        """What became of a command, if it is known. Raises InvalidMessage when its id is another command's."""
        try:
            (handled,) = await self._store.handled([(envelope.conversation, envelope.id)])
            if handled is not None:
                check_same(envelope, handled.type, (handled.kind, handled.key))
                by_operator = handled.revision == 0  # discarded: no turn of the actor has consumed it
                fault = handled.error if by_operator or handled.outcome in _GIVEN_UP else ""
                return CommandOutcome(None, fault, envelope.id, envelope.conversation)
            shard = self._router.shard_of(envelope.key)
            row = await self._store.mail_of(envelope.address, shard, envelope.id)
            if row is not None:
                check_same(envelope, type_of(row), row.address)
            if row is not None and row.parked:
                return CommandOutcome(None, row.parked, envelope.id, envelope.conversation)
            if row is None:
                check_alone(envelope, await self._store.mail_of_conversation(envelope.conversation))
        except StoreError:
            return None  # it may answer again before the caller's deadline
        return None

    # --- reading ---

    def _state(self, state_type: str, state: bytes, address: str) -> Message:
        try:
            return self._contracts.parse(state_type, state)
        except (UnknownMessageType, InvalidMessage, DecodeError) as error:
            raise StoreCorrupt(f"the state of {address} cannot be read: {error}") from error
