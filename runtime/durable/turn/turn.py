"""One turn: run the handlers over what waits for an actor, one after another, and write down what comes of it.

    activation ──messages, state──▶ Turn.run ──▶ Draft (pure record) ──▶ committer
                                      │
                                      ├─ Behaviour.handle   decides
                                      ├─ guard.rule         for an undo only
                                      └─ RetryPolicy        for a handler that failed

State is kept as bytes of the last good point, so that a handler that fails half-way spoils neither the messages before
it nor those after. A turn takes up no more messages once its time is over: those left begin the next. Nothing leaves
this file before the commit: effects are released by the activation, from the Draft.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.message import Message

from runtime.backoff import spread
from runtime.durable.behaviour import Decision, Delivery
from runtime.durable.facts import HandlerFailed, MessageParked
from runtime.durable.kind import Kind
from runtime.durable.turn import elsewhere, guard, invocation
from runtime.durable.turn.draft import Draft, timer_id
from runtime.durable.turn.invocation import invoke
from runtime.durable.turn.keeping import StateKeeper
from runtime.durable.turn.lost import LostRuns, TurnLost
from runtime.durable.turn.pace import TurnTime
from runtime.durable.turn.sends import Sends
from runtime.envelope import Address, Envelope, address_of, decode
from runtime.errors import FinalError, HandlerTimedOut, InvalidMessage, NotCarried
from runtime.failpoints import Failpoint
from runtime.failures import stack_of, text_of
from runtime.protos import durable_pb2
from runtime.store.records import ActorRow, MailRow, Outcome

__all__ = ["Turn"]

_CALLED, _RETURNED = Failpoint.HANDLER_CALLED, Failpoint.HANDLER_RETURNED  # found once, for each message reaches them

_OWN_FILES = (__file__, invocation.__file__)  # of no interest to who reads where a handler failed


class Turn:
    """One run over an actor's mail. `state` is the actor's state and is changed in place."""

    __slots__ = ("_attempts", "_keeper", "_kind", "_losses", "draft", "left", "ran", "state")

    def __init__(
        self,
        kind: Kind,
        address: Address,
        shard: int,
        row: ActorRow | None,
        state: Message,
        timers: dict[str, durable_pb2.Timer],
        attempts: Mapping[bytes, int],
        losses: LostRuns | None = None,
    ) -> None:
        self._kind = kind
        self._attempts = attempts
        self._losses = losses  # None, nearly always: nothing was lost, and nothing is looked up
        self.state = state
        self.ran: list[bytes] = []  # whose handlers were called
        self.left: Sequence[Envelope] = ()  # not taken up: the time was over
        self.draft = Draft(kind, address, shard, row, timers, kind.ports.clock.now_s())
        self._keeper = StateKeeper(self.draft, state)

    async def run(self, envelopes: Sequence[Envelope]) -> Draft:
        """Handle messages in order, until one must be retried later, with which those after it wait, or time is over.

        Raises StoreError when an undo needs the store, and TurnLost; then nothing is to be committed.
        """
        if len(envelopes) == 1:
            await self._take(envelopes[0])
        else:
            await self._take_some(envelopes)
        if self._keeper.is_unkept:
            self._keeper.keep_all()
        return self.draft

    async def _take_some(self, envelopes: Sequence[Envelope]) -> None:
        draft, keeper = self.draft, self._keeper
        pace = TurnTime(self._kind.ports, self._kind.limits.turn_s)
        for number, envelope in enumerate(envelopes):
            if envelope.id in draft.consumed or envelope.id in draft.laid_to_rest:
                continue  # a do that an undo before it in this turn has put to rest
            if draft.blocked_until_s and not envelope.undo_of:
                continue
            if self.ran:
                if pace.is_over or draft.is_full or keeper.goes_alone(self._failed_before(envelope) > 0):
                    self.left = envelopes[number:]
                    return
                await pace.rest()
            await self._take(envelope)

    def note_lost(self, envelopes: Sequence[Envelope]) -> Draft:
        """Only write down how often these have run: no handler is called, before the store has taken that."""
        draft, losses = self.draft, self._losses
        assert losses is not None
        for envelope in envelopes:
            attempts, reason = self._failed_before(envelope), losses.reason(envelope.id)
            if not envelope.timer:
                draft.reschedule(MailRow.of(envelope, draft.shard, attempts=attempts))
            elif self._timer_stands(envelope):
                self._retry_timer(envelope, f"its run was lost: {reason}", attempts, draft.now_s)
                losses.name_anew(envelope.id, timer_id(draft.address, draft.timers[envelope.timer]))
            else:
                losses.written(envelope.id)
        return draft

    async def _take(self, envelope: Envelope) -> None:
        if envelope.timer and not self._timer_stands(envelope):
            return
        failed_before = self._failed_before(envelope)
        if self._losses is not None:
            given_up = self._losses.given_up(envelope.id, failed_before, self._kind.behaviour.retries.runs_max)
            if given_up is not None:
                if self._losses.is_condemned(envelope.id) or not self._put_off(envelope, *given_up):
                    self._give_up(envelope, *given_up)
                return
        try:
            message = self._kind.contracts.parse(envelope.type, envelope.body)
            if envelope.type not in self._kind.behaviour.accepts:
                raise InvalidMessage(f"{self._kind.name} has no handler for {envelope.type}")
            finding = await self._ruled(envelope) if envelope.undo_of else None
        except (InvalidMessage, FinalError) as error:
            lacks = elsewhere.lacks(self._kind, self.state, envelope)
            if not lacks or not elsewhere.leave(self._kind, self.draft, envelope, lacks, failed_before):
                self._give_up(envelope, lacks or str(error), failed_before + 1)
            return
        if finding is None:
            await self._handle(envelope, message, failed_before)
        elif finding.ruling in guard.RUNS:
            await self._handle(envelope, message, failed_before, do_failed=finding.do_failed)

    async def _handle(
        self, envelope: Envelope, message: Message, failed_before: int, *, do_failed: bool = False
    ) -> None:
        kind, runs = self._kind, 0
        policy = kind.behaviour.retries
        if failed_before and not self.ran:
            self._keeper.is_careful = True
        self.ran.append(envelope.id)
        while True:
            runs += 1
            sends = Sends(self.draft, envelope)
            kind.ports.failpoint(_CALLED)
            try:
                delivery = self._delivery(envelope, message, failed_before, sends, do_failed)
                decision = await invoke(kind.behaviour, self.state, delivery, kind.ports, kind.limits.handler_timeout_s)
                sends.take(decision)
                self._keeper.keep()
            except Exception as error:  # a handler's failure; an order to end is none
                kind.ports.failpoint(Failpoint.HANDLER_FAILED)
                failed = failed_before + runs
                text = text_of(error)
                if self._keeper.is_unkept:
                    raise TurnLost(f"{envelope.type} {envelope.id.hex()} failed in it: {text}") from error
                self._restore(message, envelope)
                if isinstance(error, NotCarried) and elsewhere.leave(kind, self.draft, envelope, text, failed_before):
                    return
                if isinstance(error, FinalError | InvalidMessage | NotCarried) or failed >= policy.runs_max:
                    if not self._put_off(envelope, text, failed):
                        self._give_up(envelope, text, failed, stack_of(error, without=_OWN_FILES))
                    return
                if runs > policy.immediate or (isinstance(error, HandlerTimedOut) and policy.delays_s):
                    self._retry_later(envelope, text, failed)
                    return
            else:
                kind.ports.failpoint(_RETURNED)
                self._accept(envelope, decision, sends, failed_before + runs)
                return

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
            draft.timers[envelope.timer].first_id if envelope.timer else b"",
        )

    def _accept(self, envelope: Envelope, decision: Decision, sends: Sends, attempts: int) -> None:
        draft = self.draft
        outcome = decision.outcome
        if envelope.timer:
            draft.drop_timer(envelope.timer)
            outcome = Outcome.FIRED if outcome is Outcome.HANDLED else outcome
        if decision.timers:
            draft.change_timers(decision.timers, envelope.id)
        draft.ended = decision.ended
        draft.alarm = decision.alarm or draft.alarm
        self._close(envelope, sends, outcome, attempts, decision.note)

    def _close(
        self, envelope: Envelope, sends: Sends, outcome: Outcome, attempts: int, error: str = "", fault: str = ""
    ) -> None:
        """Into the history with the message, and out with what it sent."""
        draft = self.draft
        sends.hand_over()
        draft.note(
            envelope,
            outcome,
            attempts=attempts,
            error=error,
            caused=sends.caused(),
            consume=not envelope.timer,
        )
        answer = sends.client_answer(fault)
        if answer is not None:
            draft.answers.append(answer)

    def _restore(self, message: Message, envelope: Envelope) -> None:
        self.state.ParseFromString(self.draft.state_bytes)
        message.ParseFromString(envelope.body)  # as it came: the run that failed may have changed it

    # --- failures ---

    def _retry_later(self, envelope: Envelope, error: str, failed: int) -> None:
        kind, draft, policy = self._kind, self.draft, self._kind.behaviour.retries
        steady_s = policy.delays_s[max(failed // (policy.immediate + 1) - 1, 0)]
        delay_s = spread(steady_s, policy.jitter, kind.ports.randomness.fraction())
        due_at_s = draft.now_s + delay_s
        draft.failed = True
        if envelope.timer:
            self._retry_timer(envelope, error, failed, due_at_s)  # no mail was sent after it, so none waits with it
        else:
            draft.reschedule(MailRow.of(envelope, draft.shard, attempts=failed, due_at_s=due_at_s))
            draft.blocked_until_s = due_at_s
        where = address_of(*draft.address)
        kind.ports.failpoint(Failpoint.RETRY_PLANNED)
        kind.ports.report(HandlerFailed(where, envelope.type, envelope.id.hex(), failed, round(delay_s, 3), error))

    def _put_off(self, envelope: Envelope, error: str, failed: int) -> bool:
        """Set a timer again that nothing else would come after, and tell a person why; false for what is none."""
        draft, pause_s = self.draft, self._kind.behaviour.retries.timer_pause_s
        if envelope.timer and pause_s:
            draft.failed = True
            draft.alarm = f"the timer {envelope.timer!r} fails, and comes again every {pause_s:g} s: {error}"
            self._retry_timer(envelope, error, failed, draft.now_s + pause_s)
        return bool(envelope.timer and pause_s)

    def _retry_timer(self, envelope: Envelope, error: str, failed: int, due_at_s: float) -> None:
        """A timer's retry is the timer itself, set again: it is no row of mail."""
        draft = self.draft
        timer = durable_pb2.Timer()
        timer.CopyFrom(draft.timers[envelope.timer])
        timer.due_at_s, timer.set_by, timer.attempts = due_at_s, envelope.id, failed
        timer.first_id = timer.first_id or envelope.id
        draft.move_timer(timer)
        draft.note(envelope, Outcome.FAULTED, attempts=failed, error=error, consume=False)

    def _failed_before(self, envelope: Envelope) -> int:
        """Runs that have failed, and those that were lost."""
        timer = self.draft.timers.get(envelope.timer) if envelope.timer else None
        failed = self._attempts.get(envelope.id, 0) if timer is None else timer.attempts
        return failed if self._losses is None else failed + self._losses.unwritten(envelope.id)

    def _give_up(self, envelope: Envelope, error: str, attempts: int, stack: str = "") -> None:
        """Park the message where an operator sees it, with the stack, and tell who sent it."""
        draft = self.draft
        draft.failed = True
        sends = Sends(draft, envelope)
        sends.fault(error, attempts)
        if envelope.timer:
            draft.drop_timer(envelope.timer)
            self._close(envelope, sends, Outcome.FAULTED, attempts, error + stack)
        else:
            draft.outgoing.extend(sends.sent)
            reason = error + stack or "failed"
            parked = MailRow.of(envelope, draft.shard, attempts=attempts, parked=reason, parked_at_s=draft.now_s)
            draft.reschedule(parked)
            answer = sends.client_answer(error)
            if answer is not None:
                draft.answers.append(answer)
        where = address_of(*draft.address)
        self._kind.ports.failpoint(Failpoint.MESSAGE_PARKED)
        draft.facts.append(MessageParked(where, envelope.type, envelope.id.hex(), attempts, error))

    # --- timers and undo ---

    def _timer_stands(self, envelope: Envelope) -> bool:
        """A timer that was cancelled, moved, or has fired already is no longer in the row: nothing to do."""
        timer = self.draft.timers.get(envelope.timer)
        return timer is not None and timer_id(self.draft.address, timer) == envelope.id

    async def _ruled(self, undo: Envelope) -> guard.Finding:
        """What becomes of an undo; one that needs no handler is answered here."""
        draft = self.draft
        self._kind.ports.failpoint(Failpoint.UNDO_ASKED)
        finding = await self._finding(undo)
        self._kind.ports.failpoint(Failpoint.UNDO_RULED)
        if finding.ruling is guard.Ruling.RUN:
            return finding
        self._lay_to_rest(undo, finding)
        if finding.ruling is guard.Ruling.GIVE_UP_DO:
            return finding
        sends = Sends(draft, undo)
        sends.undone(finding.reason)
        self._close(undo, sends, Outcome.UNDONE, 0, finding.reason)
        return finding

    async def _finding(self, undo: Envelope) -> guard.Finding:
        """What is known of its do: what this very turn has made of it counts before what the store says."""
        draft, kind = self.draft, self._kind
        if undo.earlier_undos:
            earlier = await guard.rule_earlier(kind.store, undo, draft.shard, draft.history)
            self._supersede(earlier, undo)
            if earlier.done_by:
                return guard.Finding(guard.Ruling.NOTHING, f"already undone by {earlier.done_by.hex()}")
        for done in draft.history:
            if done.id == undo.undo_of:
                return guard.of_handled(done, undo)
        for row in draft.rescheduled:
            if row.id == undo.undo_of:
                return guard.of_waiting(row, draft.now_s)
        return await guard.rule(kind.store, undo, draft.shard, now_s=draft.now_s, retention_s=kind.limits.retention_s)

    def _supersede(self, earlier: guard.Earlier, undo: Envelope) -> None:
        """Give up those that still ask for the same: one letter for one debt, and it is never paid twice."""
        draft = self.draft
        attempts = {row.id: row.attempts for row in draft.rescheduled}
        for row in earlier.waiting:
            draft.laid_to_rest[row.id] = draft.address
            error = f"asked for again by {undo.id.hex()}"
            draft.give_up(decode(row.envelope), attempts=attempts.get(row.id, row.attempts), error=error)
            draft.unschedule(row.id)

    def _lay_to_rest(self, undo: Envelope, finding: guard.Finding) -> None:
        """Write the history of a do that will never run (again): it refuses every copy that may still come."""
        draft = self.draft
        draft.laid_to_rest[undo.undo_of] = draft.address
        if finding.do is not None:
            do, attempts, why = decode(finding.do.envelope), finding.do.attempts, f"undone by {undo.id.hex()}"
            if finding.ruling is guard.Ruling.GIVE_UP_DO:
                draft.give_up(do, attempts=attempts, error=why)
            else:
                draft.note(do, Outcome.UNDONE, attempts=attempts, error=why)
            draft.unschedule(do.id)
        elif finding.ruling is guard.Ruling.TOMBSTONE:
            draft.tombstone(undo)
