"""The methods of `amends.AdminService` that answer by a stream: sagas and batches as they change, messages of a
conversation.

    store ──a page at a time──▶ method ──as fast as the caller reads──▶ caller

A stream reads on only when its caller has taken what came before. So one that is slow costs no memory here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress

from runtime.envelope import Address, address_of
from runtime.errors import InvalidMessage, Overloaded
from runtime.gateway.desk.acts import wanted_of
from runtime.gateway.desk.answers import message_answer, run_answer, summary
from runtime.gateway.desk.batches import DeskBatches
from runtime.gateway.desk.known import RepairDesk
from runtime.gateway.desk.masks import check_mask, masked
from runtime.gateway.desk.pages import page_size_of
from runtime.gateway.desk.rights import Callers
from runtime.gateway.interceptors import Context
from runtime.operate.conversation_page import WantedMessages, conversation_page
from runtime.operate.dead_letters import NotFound
from runtime.operate.runs import run_named, run_view
from runtime.operate.survey import SagaEntry, sagas
from runtime.protos import admin_pb2 as pb

__all__ = ["WATCHES_MAX", "DeskStreams", "changes"]

WATCHES_MAX = 50
"""Of one server; each reads the store once a second."""

_POLL_S = 1.0
_REST = 9.0  # times as long as the reading took, so that a watch takes a tenth of the store's time at the most
_MESSAGES = 500  # of one reading
_ID_BYTES = 16


class DeskStreams(DeskBatches):
    def __init__(self, desk: RepairDesk, callers: Callers) -> None:
        super().__init__(desk, callers)
        self._watches = 0
        self._ending = asyncio.Event()

    def end_streams(self) -> None:
        """Those who watch are told to ask again, which is elsewhere then."""
        self._ending.set()

    async def WatchSagas(self, request: pb.WatchSagasRequest, context: Context) -> AsyncIterator[pb.SagaChange]:  # noqa: N802 - named by admin.proto
        limit, wanted, clock = page_size_of(request.limit), wanted_of(request.query), self.desk.clock
        check_mask(request.read_mask, pb.SagaSummary)
        known: dict[Address, SagaEntry] | None = None
        with self._one_watch():
            while True:
                began_s = clock.monotonic_s()
                found = (await sagas(self.desk.store, wanted, limit=limit)).entries
                rest_s = max(_POLL_S, _REST * (clock.monotonic_s() - began_s))
                for change in changes(known or {}, found):
                    if change.HasField("saga"):
                        change.saga.CopyFrom(masked(change.saga, request.read_mask))
                    yield change
                if known is None:
                    yield pb.SagaChange(caught_up=True)
                known = {(one.kind, one.key): one for one in found}
                await self._rest(rest_s)

    async def WatchBatch(self, request: pb.WatchBatchRequest, context: Context) -> AsyncIterator[pb.Batch]:  # noqa: N802 - named by admin.proto
        store, clock = self.desk.store, self.desk.clock
        named, told = await run_named(store, request.name, request.kind), None
        with self._one_watch():
            while True:
                began_s = clock.monotonic_s()
                run = await run_view(store, named.kind, named.name)
                if (answer := run_answer(run)) != told:
                    told = answer
                    yield answer
                if run.cancelled or not run.left:
                    return
                await self._rest(max(_POLL_S, _REST * (clock.monotonic_s() - began_s)))

    @contextmanager
    def _one_watch(self) -> Iterator[None]:
        if self._watches >= WATCHES_MAX:
            raise Overloaded(f"{WATCHES_MAX} watch already; end one of them, or list sagas now and then")
        self._watches += 1
        try:
            yield
        finally:
            self._watches -= 1

    async def _rest(self, rest_s: float) -> None:
        """Raises Overloaded when the server ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(rest_s):
                await self._ending.wait()
        if self._ending.is_set():
            raise Overloaded("this server ends; watch again")

    async def GetConversation(  # noqa: N802 - named by admin.proto
        self, request: pb.GetConversationRequest, context: Context
    ) -> AsyncIterator[pb.ConversationMessage]:
        id, wanted = _id(request.id), _wanted_messages(request)
        check_mask(request.read_mask, pb.ConversationMessage)
        after, is_first = "", True
        while is_first or after:
            page = await conversation_page(self.desk.store, id, wanted, limit=_MESSAGES, after=after)
            if is_first and not page.size.total:
                raise NotFound(f"there is no conversation {request.id}; it may have been forgotten after its retention")
            for message in page.messages:
                yield masked(message_answer(message), request.read_mask)
            after, is_first = page.next, False


def changes(known: dict[Address, SagaEntry], found: tuple[SagaEntry, ...]) -> Iterator[pb.SagaChange]:
    """What to tell one who knows of `known`, now that `found` fit."""
    for entry in found:
        if known.get((entry.kind, entry.key)) != entry:
            yield pb.SagaChange(saga=summary(entry))
    here = {(one.kind, one.key) for one in found}
    for address in known:
        if address not in here:
            yield pb.SagaChange(gone=address_of(*address))


def _id(text: str) -> bytes:
    try:
        id = bytes.fromhex(text)
    except ValueError:
        id = b""
    if len(id) != _ID_BYTES:
        raise InvalidMessage("id is no conversation: say the 32 hexadecimal digits of one")
    return id


def _wanted_messages(request: pb.GetConversationRequest) -> WantedMessages:
    return WantedMessages(
        actor=request.actor,
        type=request.type,
        error=request.error,
        only_errors=request.only_errors,
        only_open=request.only_open,
        newest_first=request.newest_first,
    )
