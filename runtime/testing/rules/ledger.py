"""All that was ever committed in one run, kept apart from the store, and the invariants that each commit keeps.

    FaultyStore ──transition, verdict──▶ Ledger ──▶ violations, at once
                                           └──▶ at rest: messages that were never handled, timers that still run

The numbers of the invariants are those of docs/proof/simulation.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet

from runtime.envelope import Address, Envelope, address_of
from runtime.observe.conversation import conversation_of
from runtime.observe.sequence import as_text
from runtime.saga.definition import Definition
from runtime.store.groups import TransitionGroup, Unit
from runtime.store.records import ActorRow, HistoryRow, MailRow, Outcome, Transition, Verdict
from runtime.store.timer_conversations import live_conversations
from runtime.testing.rules.delivery_order import DeliveryOrder, SentMail
from runtime.testing.rules.group_rule import broken_group, never_mail, sends_of
from runtime.testing.rules.look_up_rule import is_looked_up
from runtime.testing.rules.purge_rule import broken_purge
from runtime.testing.rules.saga_rules import SagaRules
from runtime.testing.rules.saved_tables import SavedTables
from runtime.testing.rules.timer_rules import broken_patience, broken_timers
from runtime.testing.rules.undo_rules import broken_undo, has_taken_back
from runtime.testing.rules.violation import Violation, name_of

__all__ = ["Ledger", "Violation"]

_TICK_S = 1e-6  # Rounding may be off by this.


class Ledger:
    """All actors, messages and history of one run, as they must be by the verdicts."""

    def __init__(self, sagas: Iterable[Definition] = ()) -> None:
        self.violations: list[Violation] = []
        self.broke: Callable[[], object] = bool  # It is called after each violation.
        self._saga_rules = SagaRules()
        self.actors: dict[Address, ActorRow] = {}
        self.history: dict[bytes, dict[bytes, HistoryRow]] = {}  # Rows by conversation, then by id.
        self.waiting: dict[bytes, MailRow] = {}
        self.commits = 0
        self.last_commit_at_s = 0.0  # In true time.
        self.seen: Counter[str] = Counter()  # Counts verdicts, and outcomes of messages.
        self.clocks_wrong_s = 0.0  # The clocks that nodes go by were moved so far in all.
        self.true_s = float("inf")  # The true time of this commit.
        self.forgets_before_s = float("inf")  # History from before this instant is old by now.
        self.lost: dict[Address, None] = {}  # Actors of which a failover has lost something.
        self._sent: dict[bytes, SentMail] = {}
        self._order = DeliveryOrder()
        self._undone: dict[bytes, bytes] = {}  # The undo that settled each do, by ids.
        self._taken_back: dict[bytes, bytes] = {}  # The undo that ran for each do, by ids.
        self._committed: dict[tuple[Address | None, int], list[Transition]] = {}
        self._denied: list[Transition] = []
        self.knows_sagas(sagas)

    def knows_sagas(self, sagas: Iterable[Definition]) -> None:
        """Checks the instances of these sagas by their rules from now on."""
        self._saga_rules.add(sagas)

    # --- at each commit ---

    def wrote(self, batch: Sequence[Unit], verdicts: Sequence[Verdict]) -> None:
        self.commits += 1
        for unit, verdict in zip(batch, verdicts, strict=True):
            self.seen[verdict.name] += 1
            if verdict is not Verdict.COMMITTED:
                continue
            if isinstance(unit, TransitionGroup):
                self._wrote_group(unit)
            else:
                self._wrote(unit)

    def _wrote_group(self, group: TransitionGroup) -> None:
        """Messages that went from one member to another were never mail: the group itself says what was sent."""
        self.seen.update(GROUP=1, UNPOSTED=len(group.commands), TOGETHER=int(len(group.commands) > 1))
        for what, conversation in broken_group(group, self.waiting):
            self._broken("I17", what, conversation)
        for row in sends_of(group):
            if row.id not in self._sent:
                self._sent[row.id] = SentMail.of(row, len(self._sent), self.true_s)
        passed = frozenset(one.id for one in never_mail(group))
        for transition in group.members:
            self._wrote(transition, passed)

    def was_told_of(self, transition: Transition) -> None:
        """Somebody was told that this is committed. So it has to be, or a post with the same ids."""
        # A post may have been sent before with the same id. Then its message is there, or was.
        posted = transition.history or all(self._knows(row) for row in transition.mail)
        if not posted or (transition.history and not any(one == transition for one in self._like(transition))):
            self._broken("I11", f"{name_of(transition)} was said to be committed, and is not", b"")

    def was_denied(self, transition: Transition) -> None:
        """Somebody was told that this is not committed. So it must not be, now or ever.

        A turn that only put mail off is known by the row that it left. Once another turn has followed, nobody can say
        whether it was written, and no harm is done: it has sent nothing.
        """
        self._denied.append(transition)
        if any(one is transition for one in self._like(transition)) and not self._is_followed(transition):
            self._broken("I11", f"{name_of(transition)} was said not to be committed, and is", b"")

    def _is_followed(self, transition: Transition) -> bool:
        """Says whether it left only an actor's row, and a later turn has replaced that."""
        row = transition.actor
        return row is not None and not transition.history and self.actors.get(row.address) != row

    def _like(self, transition: Transition) -> list[Transition]:
        """The committed transitions of the same actor and revision; for a post, all posts for the same actor."""
        actor = transition.actor
        return self._committed.setdefault((actor.address, actor.revision) if actor else (transition.address, 0), [])

    def _knows(self, row: MailRow) -> bool:
        return row.id in self.waiting or row.id in self.history.get(row.conversation, {})

    def _wrote(self, transition: Transition, passed: AbstractSet[bytes] = frozenset()) -> None:
        self._like(transition).append(transition)
        if any(one is transition for one in self._denied):
            self._broken("I11", f"{name_of(transition)} was said not to be committed, and came to be", b"")
        if transition.actor is not None:
            self._check_chain(transition, transition.actor, passed)
        for row in transition.history:
            self._check_handled(row, transition)
        sent_again = {mail.id for mail in transition.mail}
        for id in (*transition.consumed, *transition.given_up):
            self._check_consumed(id, is_sent_again=id in sent_again)
        for later in transition.rescheduled:
            if transition.actor is not None:
                self._check_parked(later.id, "tried again")
            self.waiting[later.id] = later
        self._check_undos(transition)
        for invariant, what, conversation in self._order.broken(
            transition, self._sent, self._undone, self.clocks_wrong_s
        ):
            self._broken(invariant, what, conversation)
        for mail in transition.mail:
            self._take_in(mail)

    def _check_chain(self, transition: Transition, actor: ActorRow, passed: AbstractSet[bytes]) -> None:
        before, expected = self.actors.get(actor.address), transition.expected
        found = (0, b"") if before is None else (before.revision, before.last_id)
        if expected is None or found != (expected.revision, expected.last_id) or actor.revision != found[0] + 1:
            text = f"{address_of(*actor.address)} went from revision {found[0]} to {actor.revision} out of turn"
            self._broken("I8", text, actor.conversation)
        for what in broken_timers(before, transition, passed):
            self._broken("I10", what, actor.conversation)
        waiting = ((mail, self._sent[mail.id].at_s) for mail in self.waiting.values())
        for what in broken_patience(before, transition, waiting, self.clocks_wrong_s + _TICK_S):
            self._broken("I10", what, actor.conversation)
        for invariant, what in self._saga_rules.broken(before, actor, transition.history):
            self._broken(invariant, what, actor.conversation)
        self.actors[actor.address] = actor

    def _check_consumed(self, id: bytes, *, is_sent_again: bool) -> None:
        mail = self.waiting.pop(id, None)
        if mail is None:
            self._broken("I9", f"message {id.hex()} was consumed, but did not wait", b"")
        elif not is_sent_again and id not in self.history.get(mail.conversation, {}):
            self._broken("I9", f"message {id.hex()} was consumed, and no history tells of it", mail.conversation)

    def _check_parked(self, id: bytes, what: str) -> None:
        """A dead letter stays one until an operator acts, and an operator's act is no turn."""
        waits = self.waiting.get(id)
        if waits is not None and waits.parked:
            self._broken(
                "I9", f"message {id.hex()} was {what} after its sender was told that it failed", waits.conversation
            )

    def _check_handled(self, row: HistoryRow, transition: Transition) -> None:
        self.seen[row.outcome.name] += 1
        of_conversation = self.history.setdefault(row.conversation, {})
        if row.id in of_conversation:
            self._broken("I2", f"{row.type} {row.id.hex()} was handled twice", row.conversation)
        of_conversation[row.id] = row
        if row.outcome is Outcome.HANDLED and not is_looked_up(row.id, transition, self._sent):
            self._check_parked(row.id, "handled")
        early_s = row.sent_at_s - min(row.handled_at_s, self.true_s)
        if row.outcome is Outcome.FIRED and early_s > self.clocks_wrong_s + _TICK_S:
            text = f"{address_of(row.kind, row.key)}: a timer fired {early_s:.3f} s early"
            self._broken("I10", text, row.conversation)
        sent = self._sent.get(row.id)
        if sent is None or sent.envelope is None:
            return
        if sent.envelope.address != (row.kind, row.key):
            self._broken(
                "I9", f"{row.type} {row.id.hex()} was handled by another actor than it was sent to", row.conversation
            )
        if row.outcome is Outcome.HANDLED and row.id in self._undone:
            self._broken("I6", f"{row.type} {row.id.hex()} ran after it was undone", row.conversation)
        if sent.envelope.undo_of:
            self._undone[sent.envelope.undo_of] = row.id

    def _check_undos(self, transition: Transition) -> None:
        """Checks undos once the whole turn is known, since it may have handled a do and its undo."""
        for row in transition.history:
            sent = self._sent.get(row.id)
            if sent is not None and sent.envelope is not None and sent.envelope.undo_of:
                do = self.history.get(row.conversation, {}).get(sent.envelope.undo_of)
                what = broken_undo(sent.envelope, row, do, self._taken_back.get(sent.envelope.undo_of, b""))
                if has_taken_back(sent.envelope, row):
                    self._taken_back[sent.envelope.undo_of] = row.id
                if what:
                    self._broken("I6", f"{row.type} {row.id.hex()} {what}", row.conversation)

    def _take_in(self, mail: MailRow) -> None:
        """Adds sent mail. The store passes over a message that waits already, or is in the history."""
        known = self._sent.get(mail.id)
        if known is not None and known.row.address != mail.address:
            self._broken("I9", f"one id for two destinations: {mail.id.hex()}", mail.conversation)
        if mail.id in self.waiting or mail.id in self.history.get(mail.conversation, {}):
            return
        self.waiting[mail.id] = mail
        if known is None:
            self._sent[mail.id] = SentMail.of(mail, len(self._sent), self.true_s)

    # --- what is forgotten ---

    def forgot(self, conversations: AbstractSet[bytes]) -> None:
        """The store has purged these. All of them must be old, without waiting mail, and without a timer."""
        needed = {mail.conversation for mail in self.waiting.values()}
        needed.update(conversation for row in self.timed for conversation in live_conversations(row))
        for what, conversation in broken_purge(conversations, needed, self.history, self.forgets_before_s):
            self._broken("I14", what, conversation)

    # --- a database that loses its newest commits ---

    def keep(self) -> SavedTables:
        """Saves what is known now; `turn_back` brings it back."""
        return SavedTables(self, *self._order.tables, but=("violations", "lost"))

    def turn_back(self, kept: SavedTables) -> None:
        """Forgets what was committed since `keep`. The actors that lost something are remembered as `lost`.

        A message that was handled may wait again, or be sent again. It may be overtaken then, since nodes take it for
        done until they find it twice.
        """
        sent, actors, waited = self._sent, self.actors, self.waiting
        kept.turn_back()
        for id, one in sent.items():
            if id not in waited and id not in self.history.get(one.row.conversation, {}):
                self._order.may_be_overtaken(one)
        self.lost.update((one.row.address, None) for id, one in sent.items() if id not in self._sent)
        self.lost.update((address, None) for address, row in actors.items() if self.actors.get(address) != row)

    # --- at rest ---

    @property
    def parked(self) -> Iterator[MailRow]:
        return (row for row in self.waiting.values() if row.parked)

    @property
    def open(self) -> Iterator[MailRow]:
        """Mail that still has to be handled."""
        return (row for row in self.waiting.values() if not row.parked)

    @property
    def timed(self) -> Iterator[ActorRow]:
        """Actors with a timer."""
        return (row for row in self.actors.values() if row.due_at_s is not None)

    def sent(self) -> Iterator[tuple[MailRow, Envelope | None]]:
        """Every message that was ever committed to an actor's mail, with its envelope if its bytes are one."""
        return ((one.row, one.envelope) for one in self._sent.values())

    def committed_at_s(self, id: bytes) -> float:
        """The true time at which a message was committed to an actor's mail."""
        return self._sent[id].at_s

    @property
    def is_at_rest(self) -> bool:
        """Says whether only dead letters wait, and no timer runs."""
        return next(self.open, None) is None and next(self.timed, None) is None

    def check_rest(self) -> None:
        """Reports what must not be left once every fault is healed and enough time has passed."""
        for mail in self.open:
            sent = self._sent[mail.id].envelope
            name = sent.type if sent is not None else "?"
            self._broken("I9", f"{name} {mail.id.hex()} for {address_of(*mail.address)} still waits", mail.conversation)
        for row in self.timed:
            self._broken("I10", f"{address_of(*row.address)} still has a timer", row.conversation)

    def rows_of(self, kind: str) -> list[ActorRow]:
        """Every actor of a kind as it is now, in the order of keys."""
        return sorted((row for row in self.actors.values() if row.kind == kind), key=lambda row: row.key)

    def told(self, conversation: bytes) -> str:
        """The messages of one conversation, one a line."""
        mail = [row for row in self.waiting.values() if row.conversation == conversation]
        return as_text(conversation_of(conversation, self.history.get(conversation, {}).values(), mail))

    def _broken(self, invariant: str, what: str, conversation: bytes) -> None:
        self.violations.append(Violation(invariant, what, conversation))
        self.broke()
