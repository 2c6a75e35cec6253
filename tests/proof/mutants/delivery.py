"""Mutants of delivery, the way of a message to its actor: pushes, streams, mailboxes, backlogs, sweeps."""

from __future__ import annotations

from runtime.durable.region.ownership import Ownership
from runtime.durable.region.router import Router
from runtime.durable.region.shards import Shards
from runtime.durable.region.sweeper import Sweeper
from runtime.durable.residence import intake
from runtime.durable.residence.activation import Activation
from runtime.durable.residence.admission import RecentlyHandled
from runtime.durable.residence.backlog import BacklogReader
from runtime.durable.residence.residents import Residents
from runtime.mesh.inbound import Inbound
from runtime.mesh.send_queue import SendQueue
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["DELIVERY"]

DELIVERY = (
    # --- between nodes ---
    Mutant(
        "gap-forgotten",
        "A node that hears of missed pushes does not read the store.",
        (Edit(Router.on_pushes, "if missed_pushes:", "if False:"),),
        workload="streams",
    ),
    Mutant(
        "gap-forgotten-by-takeovers",
        "Shards that are just being taken over ignore missed pushes.",
        (Edit(Ownership.on_missed_pushes, "self._declined.update(self._taking)", "pass"),),
        workload="streams",
        unseen=(
            "a missed message would have to be committed after the take-over has read the mail of its actor, and "
            "before the take-over ends"
        ),
        held_by="tests/unit/durable/test_ownership.py",
    ),
    Mutant(
        "new-stream-without-gap",
        "A new stream does not say that earlier pushes may be lost.",
        (Edit(SendQueue.__init__, "self.missed_pushes = True", "self.missed_pushes = False"),),
        workload="streams",
    ),
    Mutant(
        "older-stream-goes-on",
        "A new stream of a node does not wait for the deliveries of the older stream.",
        (Edit(Inbound._after_the_older, "await before.ended()", "pass"),),
        workload="streams",
        unseen=(
            "by design: a stream begins with a gap, so its receiver reads the store first, and gets all mail that the "
            "older stream may still bring"
        ),
        held_by="tests/unit/mesh/test_over_memory.py",
    ),
    Mutant(
        "new-owner-not-told",
        "Pushes to the former owner of a shard are overtaken by pushes to the new owner.",
        (Edit(Shards._tell_new_owners, "links.request_resync(owner)", "pass"),),
        workload="streams",
    ),
    Mutant(
        "predecessor's-pushes-forgotten",
        "A new owner does not have others look for pushes that its predecessor had no time for.",
        (Edit(Shards.read_again, "self._router.links.request_resync_everywhere()", "pass"),),
        workload="streams",
    ),
    Mutant(
        "own-mail-of-predecessor-forgotten",
        "A new owner does not look for its own mail that its predecessor had no time to push.",
        (Edit(Shards.read_again, "await self._router.sweep_all()", "pass"),),
        workload="random",
    ),
    # --- into mailboxes ---
    Mutant(
        "mailbox-drops-in-silence",
        "A message that finds its actor's mailbox full is dropped, and nothing remembers it.",
        (
            Edit(
                Residents._enqueue,
                "not activation.ref.try_tell(envelope):\n        return False",
                "not activation.ref.try_tell(envelope):\n        return True",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "declined-while-paused-forgotten",
        "Pushes to a paused or slowed kind stay in the store, and their actors do not know of them.",
        (
            Edit(
                Residents.deliver,
                "self._backlog.mail_left(address, shard)\n    return self._declined(activation)",
                "if not self.paused and not self.throttle.is_open:\n"
                "        self._backlog.mail_left(address, shard)\n    return self._declined(activation)",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "pushes-overtake-the-store",
        "An actor takes pushes while earlier mail of it waits in the store.",
        (
            Edit(
                intake._pushed,
                "return _wanted(state) if event.is_idle else (state, Todo.DECLINE)",
                "return state, Todo.TAKE",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "pushes-overtake-a-reading",
        "An actor takes pushes while its mail is read from the store.",
        (
            Edit(
                intake._pushed,
                "return state if state.again else replace(state, again=True), Todo.DECLINE",
                "return state, Todo.TAKE",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "reading-forgets-the-rest",
        "An actor that was given a part of its mail believes that it has all.",
        (Edit(intake.step, "_after(state, left=left)", "_after(state)"),),
        workload="streams",
    ),
    Mutant(
        "made-while-read-forgets-the-rest",
        "An actor that the first part of its mail brings into memory believes that it has all.",
        (
            Edit(
                Residents._deliver_backlog,
                "now_s = self.kind.ports.clock.now_s()",
                "now_s, was_here = self.kind.ports.clock.now_s(), address in self._memory",
            ),
            Edit(Residents._deliver_backlog, "return more", "return more and was_here"),
        ),
        workload="streams",
    ),
    Mutant(
        "reading-not-repeated",
        "Pushes that were declined while the actor's mail was read are not read afterwards.",
        (Edit(intake.step, "if state.again", "if False"),),
        workload="streams",
    ),
    Mutant(
        "stale-reading",
        "Mail that was read before a retry was planned is delivered all the same.",
        (Edit(intake._put_off, ", outdated=True", ""),),
        workload="random",
        unseen=(
            "a blocked actor takes only undos from a reading, so an undo would have to be put off between the reading "
            "and its delivery. Seed 398 showed the bug in an older version, in which a reading ended the block"
        ),
        held_by="tests/unit/durable/test_backlog.py",
    ),
    Mutant(
        "undo-taken-from-its-push",
        "An actor that waits for the retry of an undo runs that undo when its push comes again.",
        (
            Edit(
                intake._pushed,
                "return _wanted(state) if event.is_undo else (state, Todo.DECLINE)",
                "return state, Todo.TAKE if event.is_undo else Todo.DECLINE",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "mail-taken-out-for-a-lost-history",
        "Mail is removed since the history had it, although that history may be lost by now.",
        (Edit(BacklogReader._without_handled, ", mail=ours))", "))"),),
        workload="failover",
    ),
    Mutant(
        "lost-turn-taken-for-done",
        "Mail that has run on this node counts as done, although the store has lost that turn.",
        (Edit(RecentlyHandled.seen_again_in_mail, "if id not in self._found:", "if True:"),),
        workload="failover",
    ),
    Mutant(
        "evicted-with-backlog",
        "An actor leaves memory while mail of it is in the store, and nothing remembers that.",
        (Edit(Residents._leave, "self.overflows.note()", "pass"),),
        workload="streams",
    ),
    Mutant(
        "overflow-forgotten-at-once",
        "After an overflow, one sweep counts as enough even if it does not reach everything.",
        (
            Edit(
                Sweeper._sweep_waiting,
                "if is_full and complete and self.ownership.live.issubset(shards):",
                "if True:",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "bytes-left-behind",
        "Messages that did not fit into one turn are not read again before newer pushes.",
        (Edit(Activation._fitting, "self._host.left_over(self)", "pass"),),
        workload="streams",
    ),
    Mutant(
        "pending-for-ever",
        "A handled message counts as waiting in the mailbox for good.",
        (Edit(Activation._end_turn, "pending.pop(envelope.id, None)", "pass"),),
        workload="streams",
    ),
    # --- sweeps ---
    Mutant(
        "recovery-once",
        "Waiting mail is looked for when a node starts, and never again.",
        (Edit(Sweeper._pass, "if shards and not self.residents.paused:", "if shards and not self._passes:"),),
        workload="streams",
    ),
    Mutant(
        "recovery-swallows-errors",
        "A take-over whose read of the store fails goes on as if nothing waited.",
        (
            Edit(
                Sweeper.read_everything,
                "await self._read_all_mail(shards)",
                """try:
        await self._read_all_mail(shards)
    except StoreError:
        pass""",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "gap-swallows-errors",
        "A failed sweep after a gap counts as one that found nothing.",
        (Edit(Sweeper.sweep_all, "if not complete:", "if False:"),),
        workload="streams",
    ),
    Mutant(
        "sweep-by-cursor",
        "A sweep begins where the last one ended, and misses rows that become visible behind that point.",
        (
            Edit(
                Sweeper._deliver,
                "for row in rows:",
                """cursor = getattr(self, "_cursor", 0.0)
    self._cursor = max([cursor, *(row.sent_at_s for row in rows)])
    for row in (row for row in rows if row.sent_at_s >= cursor):""",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "sweep-stops-at-the-first-declined",
        "A sweep ends at the first message that is declined: one slow actor holds up all others.",
        (
            Edit(
                Sweeper._deliver,
                "self.residents.deliver_row(row, now_s)",
                "if not self.residents.deliver_row(row, now_s):\n            break",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "sweep-trusts-clocks",
        "No sweep reads mail whose sender's clock says that it was sent just now, or later.",
        (
            Edit(
                Sweeper._sweep_waiting,
                "_EVER_S if is_full else now_s - self._kind.limits.sweep_s",
                "now_s - self._kind.limits.sweep_s",
            ),
        ),
        workload="streams",
    ),
    Mutant(
        "retry-time-ignored-by-sweeps",
        "A sweep runs a message whose retry is not due.",
        (Edit(Residents.deliver_row, "if row.due_at_s > now_s:", "if False:"),),
        workload="random",
    ),
)
