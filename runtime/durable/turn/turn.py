"""One turn: run the handlers over what waits for an actor, one after another, and write down what comes of it.

    activation ──messages, state──▶ Turn.run ──▶ Draft (pure record) ──▶ committer
                                      │
                                      ├─ guard       for an undo only: does it run?
                                      ├─ timer_act   what an operator decides of a timer
                                      ├─ probe       what became of commands; answered here, by the runtime
                                      ├─ look_up     ... or by an outside system, which the service asks for it
                                      ├─ invocation  one run of a handler, which decides
                                      ├─ sends       what it decided, as envelopes
                                      └─ unhandled   a handler failed: again, later, or given up

State is kept as bytes of the last good point. So a handler that fails half-way spoils no message before it and none
after it. A turn takes up no more messages once its time is over: those left begin the next. Nothing leaves this
file before the commit: the activation releases the effects, from the Draft.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from google.protobuf.message import Message

from runtime.durable.behaviour import Decision, Delivery, LetsTimersMove, MakeSummary
from runtime.durable.timer_acts import ACT
from runtime.durable.turn import guard, invocation, look_up, unhandled
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.invocation import invoke
from runtime.durable.turn.keeping import StateKeeper
from runtime.durable.turn.lost import LostRuns, TurnLost
from runtime.durable.turn.probe import PROBE, answer_probe
from runtime.durable.turn.sends import Sends
from runtime.durable.turn.timer_act import act_on_timer
from runtime.durable.turn.timer_order import mail_comes_first, timer_stands
from runtime.durable.turn.turn_time import TurnTime
from runtime.envelope import Envelope, timer_id
from runtime.errors import FinalError, HandlerTimedOut, InvalidMessage, NotCarried
from runtime.failpoints import Failpoint
from runtime.failures import stack_of, text_of
from runtime.protos import durable_pb2, saga_pb2
from runtime.store.records import MailRow, Outcome

__all__ = ["Turn"]

# Looked up once, since each message reaches them.
_CALLED, _RETURNED = Failpoint.HANDLER_CALLED, Failpoint.HANDLER_RETURNED

_OWN_FILES = (__file__, invocation.__file__)  # Left out of the stack that an operator reads.


class Turn:
    """One run over an actor's mail, into a new draft. `state` is the actor's state and is changed in place."""

    __slots__ = ("_attempts", "_keeper", "_kind", "_losses", "_summary_of", "draft", "left", "ran", "state")

    def __init__(
        self,
        draft: Draft,
        state: Message,
        attempts: Mapping[bytes, int],
        losses: LostRuns | None = None,
    ) -> None:
        self._kind = draft.kind
        self._attempts = attempts
        self._losses = losses  # Nearly always None: no run was lost, and nothing is looked up.
        self.state = state
        self.ran: list[bytes] = []  # Ids of the messages whose handlers were called.
        self.left: Sequence[Envelope] = ()  # Messages that were not taken up, since the time was over.
        self.draft = draft
        self._summary_of: MakeSummary | None = None  # A decision brings it.
        self._keeper = StateKeeper(draft, state, draft.kind.limits.state_bytes_max)

    async def run(self, envelopes: Sequence[Envelope]) -> Draft:
        """Handle messages in order, until one must be retried later, with which those after it wait, or time is over.

        Raises StoreError when an undo needs the store, and TurnLost; then nothing is to be committed.
        """
        if (tracing := self._kind.tracing) is not None:
            self.draft.traces = tracing.begin(envelopes, self._attempts, self.draft.revision, self.draft.now_s)
        if len(envelopes) == 1:
            await self._take(envelopes[0])
        else:
            await self._take_some(envelopes)
        if self._keeper.is_unkept:
            try:
                self._keeper.keep_all()
            except Exception as error:  # It is too late to know whose handler made it so.
                raise TurnLost(f"{type(error).__name__}: {error}") from error
        self.close()
        return self.draft

    def close(self) -> None:
        """Write down what the actor tells beside its state. A chain that goes on from here closes it once more."""
        if self._summary_of is not None:
            before = None if self.draft.row is None else self.draft.row.summary
            self.draft.summary = self._summary_of(self.state, before) or before

    async def _take_some(self, envelopes: Sequence[Envelope]) -> None:
        draft, keeper = self.draft, self._keeper
        pace = TurnTime(self._kind.ports, self._kind.limits.turn_s)
        for number, envelope in enumerate(envelopes):
            if envelope.id in draft.consumed or envelope.id in draft.never_to_run:
                continue  # An undo before it in this turn has ruled that it must not run.
            if draft.blocked_until_s and not envelope.undo_of:
                continue
            if self.ran:
                if pace.is_over or draft.is_full or keeper.goes_alone(self._failed_before(envelope) > 0):
                    self.left = envelopes[number:]
                    return
                if pace.has_held:
                    await pace.rest()
            await self._take(envelope)

    def note_lost(self, envelopes: Sequence[Envelope]) -> Draft:
        """Only write down how often these messages have run. Their handlers are called once the store has that."""
        draft, losses = self.draft, self._losses
        assert losses is not None
        for envelope in envelopes:
            attempts, reason = self._failed_before(envelope), losses.reason(envelope.id)
            if not envelope.timer:
                draft.reschedule(MailRow.of(envelope, draft.shard, attempts=attempts))
            elif timer_stands(draft, envelope):
                unhandled.retry_timer(draft, envelope, f"its run was lost: {reason}", attempts, draft.now_s)
                losses.name_anew(envelope.id, timer_id(draft.address, draft.timers[envelope.timer]))
            else:
                losses.written(envelope.id)
        return draft

    async def _take(self, envelope: Envelope) -> None:
        if envelope.timer and (not timer_stands(self.draft, envelope) or await mail_comes_first(self.draft, envelope)):
            return
        failed_before = self._failed_before(envelope)
        if self._losses is not None:
            given_up = self._losses.given_up(envelope.id, failed_before, self._kind.behaviour.retries.runs_max)
            if given_up is not None:
                if self._losses.is_condemned(envelope.id) or not unhandled.put_off(self.draft, envelope, *given_up):
                    unhandled.give_up(self.draft, envelope, *given_up)
                return
        try:
            message = self._kind.contracts.parse(envelope.type, envelope.body)
            if envelope.type == PROBE:
                await self._probe(envelope, cast(durable_pb2.ProbeCommands, message), failed_before)
                return
            if envelope.type == ACT and isinstance(self._kind.behaviour, LetsTimersMove):
                act_on_timer(self.draft, envelope, cast(saga_pb2.RepairSaga, message))
                return
            if envelope.type not in self._kind.behaviour.accepts:
                raise InvalidMessage(f"{self._kind.name} has no handler for {envelope.type}")
            finding = await guard.ruled(self.draft, envelope) if envelope.undo_of else None
        except (InvalidMessage, FinalError) as error:
            lacks = self._kind.lacks(self.state, envelope)
            if not lacks or not unhandled.leave_to_others(self.draft, envelope, lacks, failed_before):
                unhandled.give_up(self.draft, envelope, lacks or str(error), failed_before + 1)
            return
        if finding is None:
            await self._handle(envelope, message, failed_before)
        elif finding.runs:
            await self._handle(envelope, message, failed_before, do_failed=finding.do_failed)

    async def _handle(
        self, envelope: Envelope, message: Message, failed_before: int, *, do_failed: bool = False
    ) -> None:
        kind, draft, runs, timeout_s = self._kind, self.draft, 0, self._timeout_s
        self._begin(envelope, failed_before)
        while True:
            runs += 1
            sends = Sends(draft, envelope)
            kind.ports.failpoint(_CALLED)
            try:
                delivery = self._delivery(envelope, message, failed_before, sends, do_failed)
                decision = await invoke(kind.behaviour.handle(self.state, delivery), envelope, kind.ports, timeout_s)
                sends.take(decision)
                self._keeper.keep()
            except Exception as error:  # An order to end is no Exception, and passes.
                kind.ports.failpoint(Failpoint.HANDLER_FAILED)
                if self._keeper.is_unkept:
                    raise _lost(envelope, error) from error
                if not self._runs_again(error, envelope, message, failed_before + runs, runs):
                    return
            else:
                kind.ports.failpoint(_RETURNED)
                self._accept(envelope, decision, sends, failed_before + runs)
                return

    def _begin(self, envelope: Envelope, failed_before: int) -> None:
        if failed_before and not self.ran:
            self._keeper.is_careful = True
        self.ran.append(envelope.id)

    async def _probe(self, probe: Envelope, asked: durable_pb2.ProbeCommands, failed_before: int) -> None:
        """Answer a probe, after look-ups of what only an outside system knows. They fail together, as a handler does.

        Raises StoreError.
        """
        kind, runs, doubts = self._kind, 0, await look_up.doubts_of(self.draft, asked)
        if doubts:
            self._begin(probe, failed_before)
        while doubts:
            runs += 1
            kind.ports.failpoint(_CALLED)
            try:
                for doubt in doubts:
                    delivery = self._delivery(doubt.do, doubt.command(), failed_before, doubt.sends, do_failed=False)
                    await doubt.look_up(self.state, delivery, self._timeout_s)
                self._keeper.keep()
            except Exception as error:  # An order to end is no Exception, and passes.
                kind.ports.failpoint(Failpoint.HANDLER_FAILED)
                if self._keeper.is_unkept:
                    raise _lost(probe, error) from error
                if not self._runs_again(error, probe, asked, failed_before + runs, runs):
                    return
                doubts = [doubt.anew() for doubt in doubts]
            else:
                kind.ports.failpoint(_RETURNED)
                for doubt in doubts:
                    doubt.settle(probe)
                break
        await answer_probe(self.draft, probe, asked)

    def _runs_again(self, error: Exception, envelope: Envelope, message: Message, failed: int, runs: int) -> bool:
        """Whether the next run comes at once, once `runs` of this turn, and `failed` in all, have failed."""
        draft, policy, text = self.draft, self._kind.behaviour.retries, text_of(error)
        self._restore(message, envelope)
        if isinstance(error, NotCarried) and unhandled.leave_to_others(draft, envelope, text, failed - runs):
            return False
        if isinstance(error, FinalError | InvalidMessage | NotCarried) or failed >= policy.runs_max:
            if not unhandled.put_off(draft, envelope, text, failed):
                unhandled.give_up(draft, envelope, text, failed, stack_of(error, without=_OWN_FILES))
            return False
        if runs > policy.immediate or (isinstance(error, HandlerTimedOut) and policy.delays_s):
            unhandled.retry_later(draft, envelope, text, failed)
            return False
        return True

    @property
    def _timeout_s(self) -> float:
        return self._kind.behaviour.retries.handler_timeout_s or self._kind.limits.handler_timeout_s

    def _delivery(
        self, envelope: Envelope, message: Message, failed_before: int, sends: Sends, do_failed: bool
    ) -> Delivery:
        draft = self.draft
        return Delivery(
            envelope,
            message,
            draft.now_s,
            failed_before,
            0 if draft.row is None and not draft.history else draft.revision,
            sends.next_id,
            do_failed,
            self._kind.limits.message_bytes_max,
            self._kind.limits.state_bytes_max,
            self._kind.subscribers.unreached,
            draft.timers[envelope.timer].first_id if envelope.timer else b"",
            draft.timers,
            draft.traceparent(envelope) if draft.traces else envelope.traceparent,
            self._kind.is_watched,
        )

    def _accept(self, envelope: Envelope, decision: Decision, sends: Sends, attempts: int) -> None:
        draft, outcome = self.draft, decision.outcome
        if envelope.timer:
            draft.drop_timer(envelope.timer)
            outcome = Outcome.FIRED if outcome is Outcome.HANDLED else outcome
        if decision.renamed:
            sends.rename_timers(decision.renamed)
        if decision.timers:
            sends.change_timers(decision.timers)
        draft.ended = decision.ended
        self._summary_of = decision.summary or self._summary_of
        draft.alarm = decision.alarm or draft.alarm
        draft.outcomes += decision.outcomes
        sends.close(outcome, attempts, decision.note, keeps_input=decision.keeps_input)

    def _restore(self, message: Message, envelope: Envelope) -> None:
        self.state.ParseFromString(self.draft.state_bytes)
        message.ParseFromString(envelope.body)  # The run that failed may have changed the message.

    def _failed_before(self, envelope: Envelope) -> int:
        """How many runs of a message have failed or were lost."""
        timer = self.draft.timers.get(envelope.timer) if envelope.timer else None
        failed = self._attempts.get(envelope.id, 0) if timer is None else timer.attempts
        return failed if self._losses is None else failed + self._losses.unwritten(envelope.id)


def _lost(envelope: Envelope, error: Exception) -> TurnLost:
    return TurnLost(f"{envelope.type} {envelope.id.hex()} failed in it: {text_of(error)}")
