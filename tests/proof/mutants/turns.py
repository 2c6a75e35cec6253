"""Mutants of one actor's turn: its handlers, its state, the guard of do and undo, what it sends, its retries."""

from __future__ import annotations

from runtime.durable.kind import _reaches
from runtime.durable.residence.activation import Activation
from runtime.durable.turn import guard, unhandled
from runtime.durable.turn.draft import Draft
from runtime.durable.turn.sends import Sends
from runtime.durable.turn.turn import Turn
from runtime.saga import exchange
from runtime.saga.nodes import pace, undoing
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["TURNS"]

TURNS = (
    # --- what a row tells in columns ---
    Mutant(
        "columns-of-the-start",
        "The columns of a saga's row stay as its first turn has made them.",
        (Edit(Turn.close, "if self._summary_of is not None:", "if self._summary_of and not self.draft.summary:"),),
    ),
    Mutant(
        "columns-lost-when-nothing-runs",
        "A turn that only puts mail off clears the columns of a saga's row.",
        (Edit(Draft.__init__, "None if row is None else row.summary", "None"),),
    ),
    # --- state ---
    Mutant(
        "conflict-without-reload",
        "After a lost commit an actor goes on from its own state, on top of the other owner's row.",
        (
            Edit(
                Activation.decided,
                'self._host.reload(self, f"commit of revision {draft.revision}: {verdict}", reread_all=True)',
                """self.fetched = False
        self._end_turn(batch)""",
            ),
            Edit(
                Activation._run,
                "if not self._loaded and not await self._load(batch):",
                "if not self.fetched:\n        await self._host.fetch(self)\n"
                "    if not self._loaded and not await self._load(batch):",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "failed-commit-keeps-state",
        "After a failed commit an actor goes on with the state that its lost turn has made.",
        (
            Edit(
                Activation.decided,
                "self._host.reload(self, str(verdict), delay_s=1.0)",
                "self._end_turn(batch)",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "failed-handler-keeps-state",
        "The changes of a handler that raised stay in the state.",
        (
            Edit(
                Turn._restore,
                "self.state.ParseFromString(self.draft.state_bytes)",
                "pass",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "clock-goes-back-in-turns",
        "A turn uses the wall clock even if it has gone back since the actor's last commit.",
        (Edit(Draft.__init__, "now_s if row is None else max(now_s, row.updated_at_s)", "now_s"),),
        workload="streams",
    ),
    Mutant(
        "sequence-begins-anew",
        "The messages of an actor are numbered anew in each of its turns.",
        (Edit(Draft.next_sequence, "self.revision * _POSITIONS + self._position", "self._position"),),
        workload="streams",
    ),
    # --- do and undo ---
    Mutant(
        "no-tombstone",
        "An undo that comes before its do leaves no trace, so that the do is not refused later.",
        (Edit(guard.rule, "Finding(Ruling.TOMBSTONE,", "Finding(Ruling.NOTHING,"),),
        workload="explorer",
    ),
    Mutant(
        "tombstone-not-written",
        "The guard has a tombstone laid for a do that has not come, and the turn leaves it out.",
        (Edit(guard.refuse_do, "draft.tombstone(undo, undo.undo_of", "(undo, undo.undo_of"),),
        workload="random",
        unseen=(
            "the sender of an undo has committed its do to the same store before. An operator would have to discard "
            "the do after the guard has read the history, and before it reads the mail"
        ),
        held_by="tests/unit/durable/test_turn.py",
    ),
    Mutant(
        "late-do-applied",
        "An undo finds its do waiting, answers that there is nothing to undo, and leaves the do in the mail.",
        (Edit(guard.refuse_do, "if finding.do is not None:", "if False:"),),
    ),
    Mutant(
        "undo-of-a-refusal",
        "The guard forgets that a do was refused, and has its undo run.",
        (Edit(guard.of_handled, "if undo.refusals and row.outcome is Outcome.HANDLED:", "if False:"),),
    ),
    Mutant(
        "undo-not-run",
        "The guard treats a do that was handled as one that never ran.",
        (
            Edit(
                guard.of_handled,
                'Finding(Ruling.RUN, "", do_failed=row.outcome is Outcome.FAULTED)',
                'Finding(Ruling.NOTHING, "handled before")',
            ),
        ),
    ),
    Mutant(
        "undo-not-told-that-its-do-failed",
        "The undo of a failed do is told that the state has the effect of the do.",
        (
            Edit(guard.of_handled, "do_failed=row.outcome is Outcome.FAULTED", "do_failed=False"),
            Edit(guard.of_waiting, "do_failed=True", "do_failed=False"),
        ),
        workload="orders",
    ),
    Mutant(
        "undo-forgets-its-own-turn",
        "An undo in the turn of its do asks only the store, which does not know of that turn yet.",
        (Edit(guard.find, "for done in draft.history:", "for done in ():"),),
        unseen=(
            "the store refuses a turn that both handles a do and gives it up. The turn is begun again with half of its "
            "messages, until do and undo are apart. This costs only time"
        ),
        held_by="tests/unit/durable/test_turn.py",
    ),
    Mutant(
        "tried-do-counts-as-untried",
        "The guard takes a waiting do for one that never ran, though it may have run in part.",
        (Edit(guard.of_waiting, "row.attempts == 0 and not row.parked and row.due_at_s > now_s", "True"),),
        workload="random",
    ),
    Mutant(
        "undo-forgets-those-before",
        "A repeated undo does not name the undos before it.",
        (Edit(undoing._ask_undo, "earlier_undos=earlier,", "earlier_undos=(),"),),
        workload="poisoned",
    ),
    Mutant(
        "undo-leaves-those-before",
        "A repeated undo leaves the undos before it in the mail.",
        (Edit(guard._supersede, "for row in earlier.waiting:", "for row in ():"),),
        workload="poisoned",
    ),
    Mutant(
        "undo-runs-after-one-before",
        "A repeated undo runs although an earlier one was replayed and has run.",
        (Edit(guard.rule_earlier, "_has_settled(known[id], undo)", "False"),),
        workload="poisoned",
    ),
    Mutant(
        "undo-not-finished-counts-as-done",
        'An undo that answered "not finished yet" counts as one that has taken its step back.',
        (
            Edit(exchange.unsettled_ids, " if one not in exchange.working_ids", ""),
            Edit(guard._has_settled, "if row.outcome is Outcome.HANDLED and undo.undones:", "if False:"),
        ),
        workload="random",
    ),
    Mutant(
        "begun-do-counts-as-never-run",
        "The undo of a step that was asked several times looks at the last command only.",
        (
            Edit(guard.of_begun, "if not undo.begun or", "if True or"),
            Edit(
                guard.of_handled,
                "if row.outcome is Outcome.UNDONE and not undo.begun:",
                "if row.outcome is Outcome.UNDONE:",
            ),
        ),
        workload="explorer",
    ),
    Mutant(
        "not-finished-never-asked-again",
        "A step that is not finished is not asked again.",
        (Edit(pace.heard, "saga.timers.append(SetTimer(step.timer, at_s))", "pass"),),
        workload="random",
    ),
    # --- what goes out ---
    Mutant(
        "row-named-by-its-message",
        "Two rows that one message has made in two histories count as the same, whatever their content.",
        (Edit(Draft._row_after, "hashlib.blake2b(made_of, digest_size=16).digest()", "self.last_message_id"),),
        workload="failover",
        unseen=(
            "both histories would have to run the same message at the same revision with different results, and a node "
            "that remembers the lost history would have to commit first. Seed 2135 of an older version showed it"
        ),
        held_by="tests/unit/durable/test_lost_commits.py",
    ),
    Mutant(
        "one-id-for-two-destinations",
        "The id of a message is made from its cause alone.",
        (
            Edit(
                Sends.next_id,
                "message_id(self._cause.sent_at_s, self._cause.id, self._position, destination, content)",
                "message_id(self._cause.sent_at_s, self._cause.id, 0, '')",
            ),
        ),
    ),
    Mutant(
        "one-id-for-two-messages",
        "Two messages of one turn to the same actor get the same id, as two parallel steps may send.",
        (
            Edit(Sends.next_id, "self._position += 1", "pass"),
            Edit(Sends.next_id, "destination, content)", "destination)"),
        ),
        workload="random",
    ),
    Mutant(
        "one-id-for-two-contents",
        "A second run of a handler that decides otherwise gives its messages the ids of the first run.",
        (Edit(Sends.next_id, "destination, content)", "destination)"),),
        workload="failover",
    ),
    Mutant(
        "fault-and-answer-share-an-id",
        "The answer of a replayed command has the id of its earlier fault, and is refused as a copy.",
        (
            Edit(Sends.fault, "id = message_id(", "_ = message_id("),
            Edit(Sends.fault, "fault.SerializeToString(), id=id)", "fault.SerializeToString())"),
            Edit(Sends.next_id, "destination, content)", "destination)"),
        ),
        workload="random",
    ),
    Mutant(
        "first-turn-in-another-conversation",
        "Messages of a saga's first turn belong to the conversation of the handled message.",
        (Edit(Sends.__init__, "draft.own_conversation(cause) if process else", "cause.conversation if process else"),),
        workload="random",
    ),
    Mutant(
        "events-sent-twice",
        "Each subscriber is sent an event twice, under two ids.",
        (
            Edit(
                Sends._tell,
                "for one in wanted:",
                "for one in [one for one in wanted for _ in range(2)]:",
            ),
        ),
    ),
    Mutant(
        "events-cross-processes",
        "An event reaches the subscribers of every process, not only of the one that drives its conversation.",
        (
            Edit(
                _reaches,
                "if not subscription.process or subscription.process == process:",
                "if not subscription.where_field or subscription.process == process:",
            ),
        ),
    ),
    Mutant(
        "outgoing-of-failed-runs",
        "The messages of earlier handlers of a turn are lost when a later handler fails.",
        (Edit(unhandled.retry_later, "draft.failed = True", "draft.failed = True\n    draft.outgoing.clear()"),),
        workload="random",
    ),
)
