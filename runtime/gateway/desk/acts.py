"""The methods of `amends.AdminService` that change something: on one saga, or on one dead letter.

Each needs who acts and why. An act on one saga also needs the revision at which its operator has looked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from runtime.envelope import Address, address_of, parse_address
from runtime.errors import InvalidMessage
from runtime.gateway.desk.answers import refusal_of
from runtime.gateway.desk.histories import Histories
from runtime.gateway.desk.known import RepairDesk
from runtime.gateway.desk.rights import Callers
from runtime.gateway.interceptors import Context, time_left_s
from runtime.gateway.operators.authenticator import acts_as
from runtime.operate import dead_letters
from runtime.operate.act_refused import ActRefused
from runtime.operate.dead_letters import NotFound
from runtime.operate.letter_acts import discard_letter, replay_letter
from runtime.operate.parked_mail import ParkedMail
from runtime.operate.repairs import check_said, post_and_wait
from runtime.operate.saga_record import record_of
from runtime.operate.stored_kinds import stored_address
from runtime.operate.survey import Wanted
from runtime.protos import admin_pb2 as pb
from runtime.protos import admin_pb2_grpc
from runtime.protos.saga_pb2 import SagaRecord
from runtime.saga.reasons import unsaid
from runtime.store.port import OperatorStore

__all__ = ["REFUSAL", "DeskActs", "left_s", "wait_s_of", "wanted_of"]

REFUSAL = "amends-refusal-bin"
"""The trailing metadata with an ActRefusal: why an act was refused, and what has changed meanwhile."""

_WAIT_S = 10.0
_MARGIN_S = 0.5  # before the deadline of a call, so that its answer is not late
_CHANGES_BYTES_MAX = 4_500  # of a refusal, beside its text; gRPC's clients take 8 KiB of metadata in all


class DeskActs(admin_pb2_grpc.AdminServiceServicer):
    def __init__(self, desk: RepairDesk, callers: Callers) -> None:
        self.desk = desk
        self.callers = callers
        self.histories = Histories(desk)

    async def Act(self, request: pb.ActRequest, context: Context) -> pb.ActResponse:  # noqa: N802 - named by admin.proto
        act, saga = request.act, parse_address(request.saga)
        act.who = self._who(context, act.who)
        check_said(act)
        if not act.HasField("expected_revision"):
            raise InvalidMessage(
                "say expected_revision, the saga's revision that ExplainSaga or PreviewAct showed: so the act is not "
                "done to a saga that has moved on"
            )
        wait_s = min(wait_s_of(request.wait_s), left_s(context))
        result = await post_and_wait(self.desk.store, saga, act, self.desk.clock, wait_s)
        if result is not None and result.refusal:
            await self._tell_refusal(context, request, result.refusal)
            raise ActRefused(saga, act, result.refusal)
        return pb.ActResponse(saga=request.saga, handled=result is not None, text="" if result is None else result.text)

    def _who(self, context: Context, said: str) -> str:
        """In whose name something is done. Raises InvalidMessage for somebody else's."""
        return acts_as(self.callers.operator(context), said)

    async def _tell_refusal(self, context: Context, request: pb.ActRequest, reason: str) -> None:
        record = await self._record_of(parse_address(request.saga))
        refusal = refusal_of(request.saga, request.act, reason, record)
        while refusal.ByteSize() > _CHANGES_BYTES_MAX and (refusal.changed or refusal.acts_meanwhile):
            del refusal.changed[len(refusal.changed) // 2 :]
            del refusal.acts_meanwhile[: (len(refusal.acts_meanwhile) + 1) // 2]
        context.set_trailing_metadata(((REFUSAL, refusal.SerializeToString()),))

    async def _record_of(self, saga: Address) -> SagaRecord:
        """Of an actor that is no saga, its revision alone."""
        try:
            return (await record_of(self.desk.store, saga))[1]
        except NotFound:
            (row,) = await self.desk.store.load([await stored_address(self.desk.store, saga)])
            return SagaRecord(revision=row.revision if row is not None else 0)

    async def ReplayDeadLetter(self, request: pb.DeadLetterActRequest, context: Context) -> pb.DeadLetterActResponse:  # noqa: N802 - named by admin.proto
        return await self._act_on_letter(request, context, replay_letter)

    async def DiscardDeadLetter(self, request: pb.DeadLetterActRequest, context: Context) -> pb.DeadLetterActResponse:  # noqa: N802 - named by admin.proto
        return await self._act_on_letter(request, context, discard_letter)

    async def _act_on_letter(
        self,
        request: pb.DeadLetterActRequest,
        context: Context,
        act_on: Callable[[OperatorStore, str, dead_letters.Act], Awaitable[ParkedMail]],
    ) -> pb.DeadLetterActResponse:
        who = self._who(context, request.who)
        if wrong := unsaid(who, request.reason):
            raise InvalidMessage(wrong)
        act = dead_letters.Act(who, self.desk.clock.now_s(), request.reason, request.force)
        letter = await act_on(self.desk.store, request.id, act)
        return pb.DeadLetterActResponse(id=letter.row.id.hex(), to=address_of(*letter.row.address))


def wanted_of(query: pb.SagaQuery) -> Wanted:
    """Raises InvalidMessage for what is no number of seconds."""
    if not (query.idle_s >= 0 and query.age_s >= 0):
        raise InvalidMessage("idle_s and age_s are seconds: say 0 or more")
    return Wanted(
        statuses=tuple(query.statuses),
        kind=query.kind,
        key=query.key_prefix,
        step=query.step,
        error=query.error,
        idle_s=query.idle_s,
        age_s=query.age_s,
        owes=query.owes,
        is_unknown=query.is_unknown,
        has_dead_letters=query.has_dead_letters,
    )


def wait_s_of(asked_s: float) -> float:
    """Raises InvalidMessage for what is no number of seconds."""
    if not asked_s >= 0:
        raise InvalidMessage(f"wait_s is {asked_s:g}: say how many seconds, or 0 for {_WAIT_S:g}")
    return asked_s or _WAIT_S


def left_s(context: Context) -> float:
    return max(0.0, time_left_s(context) - _MARGIN_S)
