"""The client's way in: post a command to an actor's durable mailbox, wait for what becomes of it, read, watch.

    gateway ──Client.ask──▶ committer (a row of mail) ──▶ Region.route ──▶ ... ──▶ the answer, to the call that waits

Once the row is committed the command will be handled, whoever dies. An answer may still be lost with a node; then the
history tells that the command was handled, and the caller reads the state.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from google.protobuf.message import DecodeError, Message

from runtime.contracts import Contracts
from runtime.durable.command_ids import check_alone, check_id, check_same, type_of
from runtime.durable.kind import Limits
from runtime.durable.region.router import Region
from runtime.durable.waiting.calls import CommandOutcome, PendingCalls
from runtime.envelope import Envelope, address_of, check_key, check_size, encode, shard_of, wrong_kind
from runtime.errors import (
    DeadlineExceeded,
    InvalidMessage,
    StoreCorrupt,
    StoreError,
    UnknownMessageType,
)
from runtime.failpoints import Failpoint
from runtime.ports import Ports
from runtime.record import record
from runtime.store.committer import Committer
from runtime.store.port import Store
from runtime.store.records import ActorRow, MailRow, Outcome, Transition, Verdict

__all__ = ["ActorState", "Client", "CommandOutcome"]

_POLL_S = 1.0  # how often a waiting caller looks into the store, in case an answer or a change was lost

_GIVEN_UP = frozenset((Outcome.FAULTED, Outcome.UNDONE))


@record(frozen=True, slots=True)
class ActorState:
    """An actor's committed state, as read."""

    revision: int
    state: Message
    row: ActorRow | None  # None when it came as a change, not from the store


@record(frozen=True, slots=True)
class _Waiting:
    """One call that waits for the outcome of its command."""

    future: asyncio.Future[CommandOutcome]
    envelope: Envelope
    timeout_s: float
    deadline_s: float  # monotonic

    def expired(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"no outcome of {self.envelope.type} for {address_of(*self.envelope.address)} within {self.timeout_s:g} s. "
            "It may still be handled: read the state, or send the same again"
        )


class Client:
    """Sends commands for clients of this node."""

    def __init__(
        self,
        region: Region,
        calls: PendingCalls,
        committer: Committer,
        store: Store,
        contracts: Contracts,
        ports: Ports,
        limits: Limits,
    ) -> None:
        self._region = region
        self._calls = calls
        self._committer = committer
        self._store = store
        self._contracts = contracts
        self._ports = ports
        self._limits = limits

    async def ask(
        self,
        command: Message,
        *,
        timeout: float,
        message_id: bytes = b"",
        kind: str = "",
        key: str = "",
        process: str = "",
        conversation: bytes = b"",
        traceparent: str = "",
    ) -> CommandOutcome:
        """Post a command and wait until it was handled.

        `message_id` (16 bytes) makes it idempotent: the same id again waits for the first one's outcome, and its reply
        has no message. Each command needs an id of its own: one id for two is refused, since only one of them is
        handled. It begins with the ms since 1970 at which it was made (48 bits, big-endian), so that it can be refused
        when it is older than the retention; one that begins with ff has no time, and is new again after that.
        Raises InvalidMessage, MessageTooLarge, MessageTooOld, Overloaded or StoreError when it was not accepted, and
        DeadlineExceeded when it was accepted, or may have been, but no outcome is known yet.
        """
        call, future = self._calls.begin()
        try:
            envelope = self._envelope(command, call, message_id, kind, key, process, conversation, traceparent)
            self._ports.failpoint(Failpoint.COMMAND_RECEIVED)
            waiting = _Waiting(future, envelope, timeout, self._ports.clock.monotonic_s() + timeout)
            self._post(waiting, bool(message_id))
            look = self._ports.clock.call_later(min(_POLL_S, timeout), self._look, waiting)
            try:
                reply = await future
                self._ports.failpoint(Failpoint.OUTCOME_KNOWN)
            finally:
                look.cancel()
        finally:
            self._calls.end(call)
        return CommandOutcome(reply.message, reply.fault, envelope.id, envelope.conversation)

    async def read(self, kind: str, key: str) -> ActorState | None:
        """The committed state of an actor; None if there is none. Raises StoreError."""
        (row,) = await self._store.load([(kind, key)])
        if row is None:
            return None
        return ActorState(row.revision, self._state(row.state_type, row.state, address_of(kind, key)), row)

    @asynccontextmanager
    async def watch(self, kind: str, key: str) -> AsyncIterator[AsyncIterator[ActorState]]:
        """The state of an actor each time it changed: first as it is, if it is; intermediate states may be skipped."""
        address = address_of(kind, key)
        watch = _Watch(self, kind, key)
        self._region.watches.add(address, watch.changed)
        self._region.watch_remote(address)
        try:
            yield watch
        finally:
            if self._region.watches.remove(address, watch.changed):
                self._region.watch_remote(address, stop=True)

    # --- posting ---

    def _envelope(
        self,
        command: Message,
        call: str,
        message_id: bytes,
        kind: str,
        key: str,
        process: str,
        conversation: bytes,
        traceparent: str,
    ) -> Envelope:
        contract = self._contracts.of(command)
        if kind and (wrong := wrong_kind(kind)):
            raise InvalidMessage(f"{contract.name} needs {wrong}")
        if not kind and not contract.is_command:
            raise InvalidMessage(f"{contract.name} is no command: its contract names no kind that handles it")
        body = command.SerializeToString()
        check_size(contract.name, body, self._limits.message_bytes_max)
        now_s = self._ports.clock.now_s()
        id = message_id or int(now_s * 1000).to_bytes(6, "big") + self._ports.ids.new_id()[:10]
        check_id(id, now_s, self._limits.retention_s)
        return encode(
            id=id,
            kind=kind or contract.kind,
            key=check_key(key, f"the key for {kind or contract.kind}") if key else contract.key(command),
            type=contract.name,
            body=body,
            conversation=conversation or id,
            sent_at_s=now_s,
            process=process,
            answer_to=call,
            traceparent=traceparent,
        )

    def _post(self, waiting: _Waiting, check_duplicates: bool) -> None:
        envelope, future = waiting.envelope, waiting.future
        shard = shard_of(envelope.key, self._limits.shards_per_kind)
        transition = Transition(
            address=envelope.address,
            shard=shard,
            mail=(MailRow.of(envelope, shard),),
            check_duplicates=check_duplicates,
        )

        def decided(verdict: Verdict | StoreError) -> None:
            if verdict is Verdict.COMMITTED:
                self._ports.failpoint(Failpoint.COMMAND_POSTED)
                self._region.route(envelope)
                self._ports.failpoint(Failpoint.COMMAND_ROUTED)
            elif verdict is Verdict.DUPLICATE:
                self._look(waiting)
            elif not future.done():
                error = verdict if isinstance(verdict, StoreError) else StoreError(f"the post was answered {verdict}")
                future.set_exception(error)

        self._committer.submit(transition, decided)

    def _look(self, waiting: _Waiting) -> None:
        if not waiting.future.done():
            self._ports.tasks.start(self._poll(waiting), name=f"outcome of {waiting.envelope.id.hex()}")

    async def _poll(self, waiting: _Waiting) -> None:
        """Find the outcome in the store, until the deadline: another call asked first, or the answer was lost."""
        clock, future = self._ports.clock, waiting.future
        while not future.done():
            try:
                reply = await self._outcome(waiting.envelope)
            except InvalidMessage as error:
                if not future.done():
                    future.set_exception(error)
                return
            self._ports.failpoint(Failpoint.OUTCOME_READ)
            left_s = waiting.deadline_s - clock.monotonic_s()
            if future.done():
                return
            if reply is not None:
                future.set_result(reply)
            elif left_s <= 0:
                future.set_exception(waiting.expired())
            else:
                await clock.sleep(min(left_s, _POLL_S / 4))

    async def _outcome(self, envelope: Envelope) -> CommandOutcome | None:
        """What became of a command, if it is known. Raises InvalidMessage when its id is another command's."""
        try:
            (handled,) = await self._store.handled([(envelope.conversation, envelope.id)])
            if handled is not None:
                check_same(envelope, handled.type, (handled.kind, handled.key))
                by_operator = handled.revision == 0  # discarded: no turn of the actor has consumed it
                fault = handled.error if by_operator or handled.outcome in _GIVEN_UP else ""
                return CommandOutcome(None, fault, envelope.id, envelope.conversation)
            shard = shard_of(envelope.key, self._limits.shards_per_kind)
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


class _Watch:
    """The iterator behind Client.watch: the latest change wins, and the store is read when none comes."""

    def __init__(self, client: Client, kind: str, key: str) -> None:
        self._client = client
        self._kind = kind
        self._key = key
        self._latest: tuple[int, str, bytes] | None = None
        self._woken: asyncio.Future[None] | None = None
        self._seen = -1
        self._look = True  # into the store: at first, and when no change has come for a while
        self._untold = 0  # the last revision whose state was not told

    def changed(self, revision: int, state_type: str, state: bytes) -> None:
        if not state_type:
            self._look = self._look or revision > self._seen  # the state is not told: it is in the store
            self._untold = max(self._untold, revision)
        elif self._latest is None or revision > self._latest[0]:
            self._latest = (revision, state_type, state)
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)

    def __aiter__(self) -> AsyncIterator[ActorState]:
        return self

    async def __anext__(self) -> ActorState:
        while True:
            if self._latest is None and self._look:
                self._look = False
                reading = await self._read()
            else:
                reading = self._take()
            if reading is not None and reading.revision > self._seen:
                self._seen = reading.revision
                return reading
            await self._wait()

    def _take(self) -> ActorState | None:
        latest, self._latest = self._latest, None
        if latest is None:
            return None
        revision, state_type, state = latest
        self._look = self._look and revision < self._untold
        return ActorState(revision, self._client._state(state_type, state, address_of(self._kind, self._key)), None)

    async def _read(self) -> ActorState | None:
        return await self._client.read(self._kind, self._key)

    async def _wait(self) -> None:
        if self._latest is not None or self._look:
            return  # it came while the store was read
        self._woken = self._client._ports.tasks.new_future()
        timer = self._client._ports.clock.call_later(_POLL_S, self._look_again)
        try:
            await self._woken
        finally:
            timer.cancel()
            self._woken = None

    def _look_again(self) -> None:
        self._look = True
        if self._woken is not None and not self._woken.done():
            self._woken.set_result(None)
