"""Mutants of commits: the store's verdicts, the committer, and posts.

The memory store stands for every store. It is the specification with which the others are compared, and simulations
run on it.
"""

from __future__ import annotations

from runtime.durable.command_ids import check_id
from runtime.durable.node_client import NodeClient
from runtime.durable.posting import Posting
from runtime.durable.residence.activation import Activation
from runtime.durable.turn.draft import Draft
from runtime.saga import compensation
from runtime.store.committer import Committer
from runtime.store.memory import MemoryStore, _attempt
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["STORE"]

_UNKNOWN = """self._ports.report(CommitOutcomeUnknown(str(error), len(jobs)))
        return await self._settle(jobs, batch)"""

STORE = (
    Mutant(
        "no-dedup",
        "The store does not look into the history, so that it takes in a handled message again.",
        (Edit(MemoryStore._is_handled, "id in self._history.get(conversation, {})", "False"),),
    ),
    Mutant(
        "dedup-after-effect",
        "A turn commits its effects first, and in a second commit that it has handled its messages.",
        (
            Edit(
                Activation._submit,
                "self._committer.submit(draft.finish(), ",
                """whole = draft.finish()
        from dataclasses import replace
        self._committer.submit(replace(whole, history=(), consumed=()), """,
            ),
            Edit(
                Activation.decided,
                "self._advance(draft)",
                """after = Transition(
            address=self.address, shard=self.shard, consumed=tuple(draft.consumed), history=tuple(draft.history)
        )
        self._committer.submit(after, lambda verdict: None)
        self._advance(draft)""",
            ),
        ),
    ),
    Mutant(
        "ack-before-commit",
        "A post is answered as committed when it is queued, not when it is in the store.",
        (
            Edit(
                Posting._post,
                "self._committer.submit(transition, decided)",
                "self._committer.submit(transition, decided)\n"
                "    from runtime.durable.client import CommandOutcome\n"
                "    one.waiting.succeed(CommandOutcome(None, '', envelope.id, envelope.conversation))",
            ),
        ),
    ),
    Mutant(
        "send-before-commit",
        "The messages and answers of a turn leave before its commit.",
        (
            Edit(
                Activation._submit,
                "    self._committer.submit(draft.finish(), ",
                "    transition = draft.finish()\n"
                "        self._host.release(draft)\n"
                "        self._committer.submit(transition, ",
            ),
            Edit(Activation.decided, "self._host.release(draft)", "pass"),
        ),
    ),
    Mutant(
        "unknown-commit-is-failure",
        "A commit of unknown outcome is reported as failed.",
        (
            Edit(
                Committer._commit,
                _UNKNOWN,
                "self._fail(jobs, StoreUnavailable('the connection broke'))\n        return []",
            ),
        ),
    ),
    Mutant(
        "unknown-commit-again-unasked",
        "A commit of unknown outcome is repeated without asking what became of the first try.",
        (Edit(Committer._commit, _UNKNOWN, "return jobs"),),
    ),
    Mutant(
        "settle-believes-any-message",
        "After an unknown commit, a turn counts as written if any node has handled its messages.",
        (
            Edit(
                MemoryStore._is_written,
                "found is not None and _attempt(found) == _attempt(row)",
                "found is not None",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "settle-takes-attempts-for-one",
        "After an unknown commit, a turn counts as written if the same node wrote an earlier attempt at it.",
        (Edit(_attempt, "row.node, row.revision, row.handled_at_s", "row.node, row.revision, 0.0"),),
    ),
    Mutant(
        "settle-lies-about-posts",
        "After an unknown commit, a post counts as written without a look into the store.",
        (
            Edit(
                MemoryStore._is_there,
                "return all(self._is_there_or_handled(row) for row in transition.mail)",
                "return True",
            ),
        ),
    ),
    Mutant(
        "settle-lies-about-turns",
        "After an unknown commit, a turn counts as written without a look into the store.",
        (
            Edit(
                MemoryStore._is_there, "return all(self._is_written(row) for row in transition.history)", "return True"
            ),
        ),
    ),
    Mutant(
        "settle-without-waiting",
        "After an unknown commit, an error of the question itself counts as the answer no.",
        (
            Edit(
                Committer._ask,
                "self._ports.report(SettleFailed(str(error) or repr(error), pause_s))",
                "return [False] * len(batch)",
            ),
        ),
    ),
    Mutant(
        "on-after-rollback",
        "When one transition of a batch cannot be written, the store rolls back those before it and goes on.",
        (
            Edit(
                MemoryStore.commit,
                "verdicts = []",
                """verdicts = []
    actors, mail, history = dict(self._actors), dict(self._mail), dict(self._history)
    mail = {slot: dict(rows) for slot, rows in mail.items()}
    history = {conversation: dict(rows) for conversation, rows in history.items()}""",
            ),
            Edit(
                MemoryStore.commit,
                "verdicts.append(verdict)",
                """verdicts.append(verdict)
        if verdict is not Verdict.COMMITTED:
            self._actors, self._mail, self._history = actors, mail, history""",
            ),
        ),
    ),
    Mutant(
        "no-cas-on-state",
        "A transition is committed even if the actor's row has changed since.",
        (
            Edit(
                MemoryStore._verdict,
                "if found != (transition.expected.revision, transition.expected.last_id):",
                "if False:",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "cas-on-revision-alone",
        "Two rows of one revision count as the same, since the message that made a row is not compared.",
        (
            Edit(
                MemoryStore._verdict,
                "if found != (transition.expected.revision, transition.expected.last_id):",
                "if found[0] != transition.expected.revision:",
            ),
        ),
        workload="failover",
    ),
    Mutant(
        "no-cas-on-message",
        "A transition is committed although the message that it consumes is no longer in the mail.",
        (
            Edit(
                MemoryStore._verdict,
                "if len(set(needed)) < len(needed) or any((key, id) not in waiting for id in needed):",
                "if len(set(needed)) < len(needed):",
            ),
            Edit(MemoryStore._verdict, "or any(self._is_handled(*key) for key in written)", ""),
            Edit(MemoryStore._apply, "gone = waiting.pop((key, id))", "gone = waiting.pop((key, id), None)"),
            Edit(MemoryStore._apply, "if not gone.sequence:", "if gone is not None and not gone.sequence:"),
            Edit(MemoryStore._apply, "for row in transition.rescheduled:", "for row in ():"),
        ),
        workload="random",
    ),
    Mutant(
        "verdicts-mixed-up",
        "Transitions that join a commit under way get the verdicts of those that were there before.",
        (Edit(Committer._join, "jobs += new", "jobs[:0] = new"),),
        workload="random",
    ),
    Mutant(
        "one-conflict-sinks-all",
        "One lost compare-and-set has all committed transitions of its batch reported as lost.",
        (
            Edit(
                Committer._commit,
                "for (unit, done, _), verdict in zip(jobs, verdicts, strict=True):",
                "worst = Verdict.CONFLICT if Verdict.CONFLICT in verdicts else None\n"
                "    for (unit, done, _), verdict in ((job, worst or one) for job, one in zip(jobs, verdicts)):",
            ),
        ),
    ),
    Mutant(
        "client-retry-with-new-id",
        "A command that a client sends again under its own id gets a new one.",
        (Edit(NodeClient._envelope, 'id = options.get("message_id") or int(now_s', "id = int(now_s"),),
    ),
    Mutant(
        "old-request-is-new",
        "A request that is older than the memory of requests is applied, perhaps for the second time.",
        (Edit(check_id, "if made_at_s < now_s - retention_s:", "if False:"),),
        workload="random",
    ),
    Mutant(
        "discarded-counts-as-handled",
        "A client that asks after a discarded command is told that the command was handled.",
        (Edit(NodeClient._outcome, "by_operator = handled.revision == 0", "by_operator = False"),),
        workload="random",
    ),
    Mutant(
        "duplicate-post-is-a-new-one",
        "A repeated post is not compared with mail and history, and is remembered twice.",
        (
            Edit(MemoryStore._verdict, "if transition.check_duplicates and ", "if False and "),
            Edit(MemoryStore._apply, "if not self._is_known(row):", "if True:"),
        ),
    ),
    Mutant(
        "history-pruned-too-early",
        "History is forgotten at once, and not after the retention.",
        (Edit(MemoryStore.purge, "all(row.handled_at_s < handled_before_s for row in rows.values())", "True"),),
    ),
    Mutant(
        "history-pruned-under-live-mail",
        "Conversations are forgotten at once, even while they have mail or a timer.",
        (
            Edit(
                MemoryStore.purge,
                "if conversation not in live and all(row.handled_at_s < handled_before_s for row in rows.values()):",
                "if True:",
            ),
        ),
    ),
    Mutant(
        "end-of-a-saga-takes-its-messages",
        "A saga that closes its compensation ends at once, and its last messages are lost.",
        (
            Edit(
                compensation.close,
                "if task.status not in SETTLED:",
                "if task.status == TaskRecord.WAITING:",
            ),
            Edit(Draft.finish, "for one in self.outgoing])", "for one in self.outgoing if not self.ended])"),
        ),
    ),
)
