"""Mutants of chains: turns that follow from one another on one node, and are committed as one group."""

from __future__ import annotations

from runtime.durable.posting import Posting
from runtime.durable.residence.actor_in_memory import ActorInMemory
from runtime.durable.residence.chain import ChainOfTurns, _Member
from runtime.durable.residence.chains import Chains
from runtime.durable.residence.newcomers import Newcomers
from runtime.durable.residence.unposted import UnpostedCommands
from runtime.durable.turn.chained import ChainedTurn
from runtime.durable.turn.draft import Draft
from runtime.store.memory import MemoryStore
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["CHAINS", "UNIT_CHAINS", "UNPOSTED"]

_TESTS = "tests/unit/durable/test_chains.py"
_UNPOSTED_TESTS = "tests/unit/durable/test_unposted_commands.py"
_TOGETHER_TESTS = "tests/unit/durable/test_commands_together.py"

CHAINS = (
    Mutant(
        "undo-in-a-chain",
        "An undo runs in a chain, and does not ask what became of its do.",
        (Edit(ChainOfTurns._handled_by, "if envelope.undo_of or envelope.due_at_s", "if envelope.due_at_s"),),
        workload="random",
    ),
    Mutant(
        "overtakes-what-was-left",
        "A message is handled in a chain although an earlier one to the same actor was left as mail.",
        (Edit(ChainOfTurns._leave, "self._left.add(envelope.address)", "pass"),),
        workload="streams",
    ),
    Mutant(
        "borrows-who-has-mail",
        "An actor with mail in its mailbox takes part in a chain before that.",
        (
            Edit(Chains.borrow, "or not activation.is_idle", "or activation.busy"),
            Edit(ActorInMemory.open_for, "self.pending or not self.may_chain", "not self.may_chain"),
        ),
        workload="streams",
    ),
    Mutant(
        "borrows-who-has-a-backlog",
        "An actor takes part in a chain although older mail of it was left in the store.",
        (Edit(Chains.admits, "address not in self._intakes and ", ""),),
        workload="streams",
    ),
    Mutant(
        "refused-chain-keeps-its-state",
        "After a refused chain its actors go on with the states that it has made.",
        (
            Edit(
                ActorInMemory.decided,
                'self._host.reload(self, f"commit of a chain: {verdict}")',
                "self.row, self._timers = draft.row_after, draft.timers\n        self._end_turn(batch)",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "only-the-first-is-told",
        "When a chain is committed, only the turn that began it is told.",
        (Edit(ChainOfTurns._decided, "for member in members:", "for member in members[:1]:"),),
    ),
    Mutant(
        "passed-on-and-posted",
        "A message that was handled in a chain becomes mail all the same.",
        (Edit(Draft.finish, "if self.passed:", "if False:"),),
    ),
    Mutant(
        "cut-chain-keeps-its-draft",
        "A handler fails in a chain, and what it has changed before stays.",
        (Edit(ChainedTurn.chain, "self._restore(message, envelope)\n", "self._keeper.keep()\n"),),
        workload="orders",
    ),
    Mutant(
        "group-in-parts",
        "Of a group the store writes those turns that it can.",
        (
            Edit(MemoryStore.commit, "if not refused:", "if len(refused) < len(members):"),
            Edit(
                MemoryStore.commit,
                "self._apply(transition)",
                "self._verdict(transition) is Verdict.COMMITTED and self._apply(transition)",
            ),
        ),
        workload="random",
    ),
)

UNPOSTED = (
    Mutant(
        "handled-beside-its-mail",
        "The store writes a turn over a command that was never mail, although the same command waits as mail.",
        (Edit(MemoryStore.commit, "(command.conversation, command.id) in self._posted", "False"),),
        workload="streams",
    ),
    Mutant(
        "group-without-its-command",
        "A group does not say which client's command it has begun with, so that the store looks for none.",
        (Edit(ChainOfTurns.submit, "for one in members), self._commands)", "for one in members))"),),
    ),
    Mutant(
        "group-names-one-command",
        "A group names only the first of the commands that it has begun with.",
        (Edit(ChainOfTurns.submit, "self._commands)", "self._commands[:1])"),),
        workload="streams",
    ),
    Mutant(
        "commands-wait-for-ever",
        "Commands that come while others are handled are begun by nobody.",
        (Edit(Posting._go_on, "if self._waiting and not self._running:", "if False:"),),
        workload="streams",
    ),
    Mutant(
        "borrowed-and-never-given-back",
        "An actor that cannot handle a message before the commit stays busy, and takes nothing any more.",
        (Edit(ChainOfTurns._joined, "activation.give_back()\n", "pass\n"),),
        workload="random",
    ),
    Mutant(
        "command-goes-on-after-a-failure",
        "The handler of a command fails before that is in the store, and what it has changed is committed as handled.",
        (
            Edit(
                ChainedTurn.chain,
                "self._restore(message, envelope)\n        return False",
                "from runtime.durable.behaviour import Decision\n        decision = Decision()",
            ),
        ),
        workload="random",
    ),
)

_COSTS = "the store refuses what is wrong, again and again, so that it costs time alone"

UNIT_CHAINS = (
    Mutant(
        "later-is-now-in-a-chain",
        "A message that was sent for later is handled at once if its actor is idle.",
        (Edit(ChainOfTurns._handled_by, "envelope.due_at_s > envelope.sent_at_s or ", ""),),
        workload="random",
        unseen="no workload sends a message for later to an idle actor of its own node",
        held_by=_TESTS,
    ),
    Mutant(
        "goes-on-behind-what-was-put-off",
        "An actor takes part in a chain with newer messages while an earlier one waits for its retry in the same turn.",
        (Edit(_Member.may_go_on, "not (draft.rescheduled or draft.blocked_until_s or self.turn.left)", "True"),),
        workload="random",
        unseen=(
            "the first actor of a chain would have to answer itself by way of another, after one of its messages has "
            "failed in the same turn"
        ),
        held_by=_TESTS,
    ),
    Mutant(
        "left-command-is-not-posted",
        "A command that could not be handled before it was in the store is forgotten.",
        (
            Edit(
                UnpostedCommands.run,
                "else:\n                one.left()",
                "else:\n                pass",
            ),
        ),
        unseen="its client hears nothing and asks again, so that it costs time alone",
        held_by=_UNPOSTED_TESTS,
    ),
    Mutant(
        "refused-command-is-accepted",
        "The store refuses the group of a command, and its client is told that the command is accepted.",
        (Edit(Posting._decided, "if outcome is Verdict.COMMITTED:", "if isinstance(outcome, Verdict):"),),
        unseen="the clients of workloads wait for what came of a command, and ask again",
        held_by=_UNPOSTED_TESTS,
    ),
    Mutant(
        "unposted-in-a-crowd",
        "A command is handled by itself although a commit is under way, after which many could be handled together.",
        (Edit(Posting.post, "self._committer.when_free(self._begin)", "self._begin()"),),
        unseen="it costs time alone",
        held_by=_TOGETHER_TESTS,
    ),
    Mutant(
        "one-command-is-told",
        "When a group that begins with several commands is committed, the client of the first alone is told.",
        (Edit(UnpostedCommands._decided, "for one in commands:", "for one in commands[:1]:"),),
        unseen="what was handled answers by itself, and who only wants it accepted asks again",
        held_by=_TOGETHER_TESTS,
    ),
    Mutant(
        "refused-together-again",
        "After a refused group as many commands as before are one group at once.",
        (Edit(Posting._tell_group, "self._together = 1", "pass"),),
        unseen=_COSTS,
        held_by=_TOGETHER_TESTS,
    ),
    Mutant(
        "effects-in-a-chain",
        "A kind whose handlers may touch what is outside runs over messages that are not committed.",
        (Edit(Chains.borrow, "self._runs_in_chains and ", ""),),
        unseen="simulated services touch nothing outside that could tell",
        held_by=_TESTS,
    ),
    Mutant(
        "refused-chain-is-tried-again",
        "After a refused chain the same actor begins it again at once.",
        (Edit(Chains.begin, "or self._host.losses.has_lost(first.address)", ""),),
        unseen=_COSTS,
        held_by=_TESTS,
    ),
    Mutant(
        "guess-without-a-reason",
        "Actors are taken for new although the latest row that was looked for was there.",
        (Edit(Newcomers.looked, "0 if found else self._new + 1", "self._new + 1"),),
        unseen=_COSTS,
        held_by=_TESTS,
    ),
)
