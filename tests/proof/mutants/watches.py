"""Mutants of watches: whoever waits for an actor of another node is not told of its change, and has to find it.

A change that is not told is read from the store after a while, so none of them can lose one. They cost time.
"""

from __future__ import annotations

from runtime.durable.region.remote_watches import RemoteWatches
from runtime.durable.region.router import Router
from runtime.durable.region.shards import Shards
from runtime.durable.waiting.watches import StateWatches
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["WATCHES"]

_UNSEEN = "It costs a second for whoever waits, and no workload judges how long that takes"
_WATCHES = "tests/unit/durable/test_watches.py"

WATCHES = (
    Mutant(
        "new-owner-confirms-no-watch",
        "What a new owner committed before it knew who watches is told to nobody, and nobody looks for it.",
        (Edit(StateWatches.on_watch, "if watch.confirm:", "if False:"),),
        unseen=_UNSEEN,
        held_by=_WATCHES,
    ),
    Mutant(
        "watch-without-a-stream-is-lost",
        "A watch that was asked for while there was no stream to the owner is not asked for again.",
        (Edit(RemoteWatches.on_peer_reached, "if owner == peer:", "if False:"),),
        unseen=_UNSEEN,
        held_by=_WATCHES,
    ),
    Mutant(
        "watchers-miss-the-last-turn",
        "A node that gives a shard away forgets who watches its actors before their last turns have ended.",
        (
            Edit(
                Shards.release,
                "self.sweepers[kind].ownership.give_up(shards)",
                "self.sweepers[kind].ownership.give_up(shards)\n"
                "    self._router.watches.release(partial(self._is_in, kind, shards))",
            ),
        ),
        unseen=_UNSEEN,
        held_by=_WATCHES,
    ),
    Mutant(
        "answer-without-a-stream-is-lost",
        "An answer to a node that is not connected yet is dropped.",
        (Edit(Router._send_answer, "self._unsent.add(node, answer)", "pass"),),
        unseen=_UNSEEN,
        held_by=_WATCHES,
    ),
)
