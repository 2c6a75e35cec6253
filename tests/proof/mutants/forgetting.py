"""Mutants of the purge: history is forgotten too early, for the wrong reason, or while it is needed."""

from __future__ import annotations

from runtime.durable.command_ids import check_id
from runtime.store.memory import MemoryStore
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["FORGETTING"]

FORGETTING = (
    Mutant(
        "purge-forgets-dead-letters",
        "Old conversations are forgotten although a dead letter of theirs may be replayed.",
        (
            Edit(
                MemoryStore.purge,
                "for row in self._all_mail()}",
                "for row in self._all_mail() if not row.parked}",
            ),
        ),
        workload="random",
    ),
    Mutant(
        "purge-by-the-oldest",
        "A conversation is forgotten once its first message is old.",
        (Edit(MemoryStore.purge, "all(row.handled_at_s", "any(row.handled_at_s"),),
        workload="random",
        unseen="a conversation that still goes on has seldom begun before the retention",
        held_by="tests/contract/test_stores.py",
    ),
    Mutant(
        "purge-forgets-what-was-put-off",
        "Old conversations are forgotten although a message of theirs waits for its retry.",
        (Edit(MemoryStore.purge, "for row in self._all_mail()}", "for row in self._all_mail() if not row.attempts}"),),
        workload="random",
    ),
    Mutant(
        "remembered-for-less-than-let-in",
        "Requests of twice the age that the store remembers are accepted.",
        (Edit(check_id, "now_s - retention_s:", "now_s - 2 * retention_s:"),),
        workload="random",
    ),
)
