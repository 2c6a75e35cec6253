"""Bugs that are planted for the test of one claim: each breaks what one row of docs/proof/scenarios.md promises.

They are no prey of the hunters. Many of them need a mistake of an author, or of an operator, that no seed makes.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.billing import Billing
from actors.warehouse import Warehouse
from examples.purchase.prices import Prices
from runtime.contracts import Contract
from runtime.durable.node_client import NodeClient
from runtime.durable.residence.admission import Throttle
from runtime.durable.turn.sends import Sends
from runtime.durable.turn.turn import Turn
from runtime.saga import author, checks, interpreter
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.keys import KeysBehaviour
from runtime.saga.nodes import step
from runtime.store.sqlite import lock
from tests.proof.mutants.claimed_sagas import CLAIMED_SAGAS
from tests.proof.mutants.mutant import Mutant
from tests.proof.mutants.mutant import planted_in as _bug

__all__ = ["CLAIMED"]


_STARTING = (
    _bug(
        "start-may-lose-the-key",
        "An instance may begin without its key in its state.",
        SagaBehaviour._begin,
        "if field and getattr(state, field) != key:",
        "if False:",
    ),
    _bug(
        "start-without-a-key",
        "An event without a key starts an instance all the same.",
        SagaBehaviour._begin,
        "if not key or self.key_of(event) != key:",
        "if False:",
    ),
    _bug(
        "second-event-has-the-same-driver",
        "Of two events that one handler says, each starts a process that drives the conversation.",
        Sends._tell,
        "self._is_late |= not self._process and any(one.starts for one in wanted)",
        "pass",
    ),
    _bug(
        "published-event-stays-in-its-conversation",
        "What an event of a saga starts is in the conversation of that saga.",
        Sends._publish,
        'self.next_id("", content_of(contract.name, body, b""))',
        "self._conversation",
    ),
    _bug(
        "answer-goes-by-its-body",
        "An answer goes to the instance that its body names, and not to the one that asked.",
        Sends._reply,
        "parse_address(self._cause.reply_to)",
        "(parse_address(self._cause.reply_to)[0], self._kind.contracts.named(name).key(message))",
    ),
    _bug(
        "unasked-message-counts-as-an-answer",
        "A message that answers no command counts as the answer to what is open.",
        SagaBehaviour._input,
        "if not envelope.in_reply_to:",
        "if record.definition and (open_ := [one.do.command_id for one in record.tasks if one.do.command_id]):\n"
        "        return inputs.Answered(open_[-1], message)\n    if not envelope.in_reply_to:",
    ),
    _bug(
        "awaited-event-goes-by-its-own-key",
        "An event that a saga waits for goes by its own key, and not by the field that the saga names.",
        KeysBehaviour.__init__,
        "Subscription(name, self.kind, one.by)",
        'Subscription(name, self.kind, "order_id")',
    ),
    _bug(
        "zero-is-no-key",
        "A key that says zero counts as empty.",
        Contract.key,
        "if not key:",
        'if not key.strip("-0 "):',
    ),
    _bug(
        "key-changed-by-an-answer",
        "What keeps an answer may change the key of its instance.",
        author.change,
        "if key_field and getattr(state, key_field) != key:",
        "if False:",
    ),
    _bug(
        "stray-message-leaves-no-note",
        "A message for an instance that there is none of counts as handled.",
        interpreter._unmatched,
        'saga.note = f"{input.type} starts no instance, and there is none of this key"',
        "pass",
    ),
    _bug("two-pivots-accepted", "A saga may have two pivots.", checks.check, "if len(pivots) > 1:", "if False:"),
    _bug(
        "early-event-never-faults",
        "An event that comes early is kept although its fault is declared.",
        KeysBehaviour._early,
        "if awaits.early == FAULT:",
        "if False:",
    ),
    _bug(
        "undeclared-answer-passed-over",
        "An answer that a step does not declare is dropped in silence.",
        step.hear,
        'return _undeclared(saga, step, task, command_id, f"{name} is no answer that the step declares")',
        "return NOTHING",
    ),
)
_MAIL = (
    _bug(
        "missing-actor-is-an-error",
        "A read of an actor that there is none of fails.",
        NodeClient.read,
        "return None\n",
        "raise KeyError(key)\n",
    ),
    _bug("busy-writer-not-named", "Who holds the store is not told.", lock._name, "if not pid:", "if pid:"),
    _bug(
        "failed-run-is-committed",
        "What a handler changed before it failed is committed with its dead letter.",
        Turn._runs_again,
        "self._restore(message, envelope)",
        "self._keeper.keep()",
    ),
    _bug(
        "final-error-is-retried",
        "A message that fails for good is tried again.",
        Turn._runs_again,
        "isinstance(error, FinalError | InvalidMessage | NotCarried) or ",
        "",
    ),
    _bug(
        "throttle-lets-all-pass",
        "A kind that keeps failing goes on at full speed.",
        Throttle.admits,
        "return False",
        "return True",
    ),
    _bug(
        "past-timer-refused",
        "A timer that is dated in the past is refused.",
        Sends.take,
        "check_timer(change,",
        "check_timer(change if change.due_at_s > self._draft.now_s else SetTimer(change.name, -1.0),",
    ),
    _bug("charged-twice", "An order is charged twice.", Billing._charge, "bill.charges += 1", "bill.charges += 2"),
    _bug(
        "void-makes-goods",
        "A label that never was is voided, and goods come of it.",
        Warehouse.void,
        "not self.do_failed and stock.voided + command.quantity <= stock.labelled",
        "True",
    ),
)
_PRICES = (
    _bug(
        "check-compares-nothing",
        "A check before the pivot finds each price unchanged.",
        Prices.check,
        "command.price_version != self.state.version",
        "False",
    ),
    _bug(
        "pivot-compares-nothing",
        "An item is sold whatever has become of the price that was quoted.",
        Prices.sell,
        "command.price_version != price.version",
        "False",
    ),
)
CLAIMED: Mapping[str, Mutant] = {one.name: one for one in (*_STARTING, *_MAIL, *_PRICES, *CLAIMED_SAGAS)}
"""By name."""
