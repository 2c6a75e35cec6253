"""`amends.AdminService`: what is read of sagas, dead letters, timers and versions.

Each method makes its arguments, calls one function of `runtime/operate`, and makes its answer. The methods that change
something are in acts.py and batches.py, those that answer by a stream in streams.py.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from runtime.envelope import parse_address
from runtime.gateway.desk.acts import wanted_of
from runtime.gateway.desk.answers import (
    account_answer,
    act_answer,
    group_answer,
    letter_answer,
    moment_answer,
    nodes_answer,
    preview_answer,
    proofs_answer,
    summary,
)
from runtime.gateway.desk.batches import filter_of
from runtime.gateway.desk.masks import check_mask, masked
from runtime.gateway.desk.pages import behind, checked, cut, page_size_of, place_after, place_in, token_of
from runtime.gateway.desk.streams import DeskStreams
from runtime.gateway.interceptors import Context
from runtime.operate.account import Account
from runtime.operate.audit import READ_MAX, ActEntry, acts_done
from runtime.operate.dead_letters import NotFound, letter_place_of, letter_place_text
from runtime.operate.definitions import versions
from runtime.operate.letter_groups import LetterGroup, groups, letters_page
from runtime.operate.lookup import accounts
from runtime.operate.paused import paused
from runtime.operate.proofs.by_version import proofs_by_version
from runtime.operate.repairs import look_ahead
from runtime.operate.survey import place_of, place_text, sagas
from runtime.operate.timers import TimersWanted, timer_place_of, timers
from runtime.protos import admin_pb2 as pb
from runtime.saga.view import status_name

__all__ = ["DeskService"]

_SMALLER = "read it by the command line, which has no such limit"


class DeskService(DeskStreams):
    """All methods; grpc calls those of this class, of DeskStreams, DeskBatches and DeskActs alike."""

    async def ListSagas(self, request: pb.ListSagasRequest, context: Context) -> pb.ListSagasResponse:  # noqa: N802 - named by admin.proto
        check_mask(request.read_mask, pb.SagaSummary)
        size, place = page_size_of(request.page_size), place_in(request.page_token, request.query)
        page = await sagas(
            self.desk.store, wanted_of(request.query), limit=size, after=place_of(place) if place else None
        )
        found = cut(masked(summary(one), request.read_mask) for one in page.entries)
        more = page.next if len(found) == len(page.entries) else page.entries[len(found) - 1].place
        token = token_of(request.query, place_text(more)) if more is not None else ""
        return pb.ListSagasResponse(sagas=found, next_page_token=token)

    async def ExplainSaga(self, request: pb.ExplainSagaRequest, context: Context) -> pb.ExplainSagaResponse:  # noqa: N802 - named by admin.proto
        check_mask(request.read_mask, pb.ExplainSagaResponse)
        return checked(masked(account_answer(await self._account(request.saga)), request.read_mask), _SMALLER)

    async def GetHistory(self, request: pb.GetHistoryRequest, context: Context) -> pb.GetHistoryResponse:  # noqa: N802 - named by admin.proto
        check_mask(request.read_mask, pb.HistoryMoment)
        desk, query = self.desk, pb.GetHistoryRequest(saga=request.saga)
        size, place = page_size_of(request.page_size), place_in(request.page_token, query)
        address = parse_address(request.saga)
        found = await (self.histories.next(address) if place else self.histories.first(address))
        start = int(place or 0)
        entries = found.entries[start : start + size]
        moments = cut(masked(moment_answer(desk.contracts, one), request.read_mask) for one in entries)
        end = start + len(moments)
        answer = pb.GetHistoryResponse(
            saga=found.address,
            status=status_name(found.record),
            version=found.record.fingerprint.hex(),
            revision=found.record.revision,
            untold=found.untold,
            entries=moments,
            next_page_token=token_of(query, str(end)) if end < len(found.entries) else "",
        )
        return checked(answer, _SMALLER)

    async def PreviewAct(self, request: pb.PreviewActRequest, context: Context) -> pb.PreviewActResponse:  # noqa: N802 - named by admin.proto
        desk, saga = self.desk, parse_address(request.saga)
        definitions = [one.definition for one in desk.behaviours.values()]
        seen = await look_ahead(desk.store, saga, request.act, definitions, desk.clock.now_s())
        return checked(preview_answer(request.saga, seen), _SMALLER)

    async def ListDeadLetters(self, request: pb.ListDeadLettersRequest, context: Context) -> pb.ListDeadLettersResponse:  # noqa: N802 - named by admin.proto
        check_mask(request.read_mask, pb.DeadLetterSummary)
        query = pb.ListDeadLettersRequest(query=request.query)
        size, place = page_size_of(request.page_size), place_in(request.page_token, query)
        after = letter_place_of(place) if place else None
        page = await letters_page(self.desk.store, filter_of(request.query), limit=size, after=after)
        found = cut(masked(letter_answer(one), request.read_mask) for one in page.letters)
        is_all = len(found) == len(page.letters) and page.next is None
        token = "" if is_all else token_of(query, letter_place_text(page.letters[len(found) - 1].place))
        return pb.ListDeadLettersResponse(letters=found, next_page_token=token)

    async def GroupDeadLetters(  # noqa: N802 - named by admin.proto
        self, request: pb.GroupDeadLettersRequest, context: Context
    ) -> pb.GroupDeadLettersResponse:
        check_mask(request.read_mask, pb.DeadLetterGroup)
        query = pb.GroupDeadLettersRequest()
        size, place = page_size_of(request.page_size), place_in(request.page_token, query)
        groups_, is_all = await groups(self.desk.store)
        found = behind(groups_, _group_key, place)
        told = cut(masked(group_answer(one), request.read_mask) for one in found[:size])
        more = place_after(found, _group_key, len(told))
        token = token_of(query, more) if more else ""
        return pb.GroupDeadLettersResponse(groups=told, is_all=is_all, next_page_token=token)

    async def ListTimers(self, request: pb.ListTimersRequest, context: Context) -> pb.ListTimersResponse:  # noqa: N802 - named by admin.proto
        query, size = request.query, page_size_of(request.page_size)
        place = place_in(request.page_token, query)
        if query.actor:
            account = await self._account(query.actor)
            named: dict[str, Any] = {"kind": account.kind, "key": account.key}
            of_one = [pb.TimerSummary(**named, **asdict(one)) for one in account.timers]
            return checked(pb.ListTimersResponse(timers=of_one), _SMALLER)
        wanted = TimersWanted(query.kind, query.key_prefix, query.before_s or math.inf)
        page = await timers(self.desk.store, wanted, limit=size, after=timer_place_of(place) if place else None)
        found = cut(pb.TimerSummary(**asdict(entry)) for entry, _ in page.entries)
        is_all = len(found) == len(page.entries) and not page.more
        token = "" if is_all else token_of(query, page.entries[len(found) - 1][1].text)
        return pb.ListTimersResponse(timers=found, next_page_token=token)

    async def ListNodes(self, request: pb.ListNodesRequest, context: Context) -> pb.ListNodesResponse:  # noqa: N802 - named by admin.proto
        notes, view = await self.desk.store.busy(), await self.desk.store.cluster()
        return checked(nodes_answer(view, notes), _SMALLER)

    async def ListDefinitions(self, request: pb.ListDefinitionsRequest, context: Context) -> pb.ListDefinitionsResponse:  # noqa: N802 - named by admin.proto
        found: list[dict[str, Any]] = [asdict(one) for one in await versions(self.desk.store, kind=request.kind)]
        answer = pb.ListDefinitionsResponse(definitions=[pb.DefinitionSummary(**one) for one in found])
        return checked(answer, "name a kind")

    async def ListProofs(self, request: pb.ListProofsRequest, context: Context) -> pb.ListProofsResponse:  # noqa: N802 - named by admin.proto
        check_mask(request.read_mask, pb.VersionProofs)
        query = pb.ListProofsRequest(version=request.version)
        size, place = page_size_of(request.page_size), place_in(request.page_token, query)
        listed = await proofs_by_version(self.desk.store, version=request.version)
        found = behind(listed.versions, lambda one: one.place, place)
        told = cut(masked(proofs_answer(one), request.read_mask) for one in found[:size])
        more = place_after(found, lambda one: one.place, len(told))
        token = token_of(query, more) if more else ""
        return pb.ListProofsResponse(versions=told, is_all=listed.is_all, next_page_token=token)

    async def ListPauses(self, request: pb.ListPausesRequest, context: Context) -> pb.ListPausesResponse:  # noqa: N802 - named by admin.proto
        found: list[dict[str, Any]] = [asdict(one) for one in await paused(self.desk.store)]
        return checked(pb.ListPausesResponse(pauses=[pb.PauseSummary(**one) for one in found]), _SMALLER)

    async def ListActs(self, request: pb.ListActsRequest, context: Context) -> pb.ListActsResponse:  # noqa: N802 - named by admin.proto
        check_mask(request.read_mask, pb.ActDone)
        query = pb.ListActsRequest()
        size, place = page_size_of(request.page_size), place_in(request.page_token, query)
        acts, is_all = await acts_done(self.desk.store, limit=READ_MAX)
        found = behind(acts, _act_key, place)
        told = cut(masked(act_answer(one), request.read_mask) for one in found[:size])
        more = place_after(found, _act_key, len(told))
        return pb.ListActsResponse(acts=told, is_all=is_all, next_page_token=token_of(query, more) if more else "")

    async def _account(self, address: str) -> Account:
        kind, key = parse_address(address)
        found = await accounts(self.desk.store, self.desk.contracts, key, kind=kind)
        if not found:
            raise NotFound(f"there is no actor {address}, and no mail waits for one")
        return found[0]


def _group_key(group: LetterGroup) -> tuple[float | str, ...]:
    return -group.count, group.kind, group.type, group.error_class


def _act_key(act: ActEntry) -> tuple[float | str, ...]:
    return -act.at_s, act.to, act.id.hex()
