"""Mutants of waits for events: who holds a key, which event counts, and when a wait is over."""

from __future__ import annotations

from runtime.saga import held_keys, interpreter, keys
from runtime.saga.keys import KeysBehaviour
from runtime.saga.nodes import awaits
from tests.proof.mutants.mutant import Edit, Mutant

__all__ = ["AWAITS"]

AWAITS = (
    Mutant(
        "key-of-another-taken",
        "An instance gets a key that another one holds.",
        (Edit(keys._hold, 'if {entry.held_by, waits} - {"", holder}:', "if False:"),),
        workload="held",
    ),
    Mutant(
        "held-key-finds-nobody",
        "An event by a key that an instance holds counts as one that finds none.",
        (Edit(KeysBehaviour._early, "if entry.held_by:", "if False:"),),
        workload="held",
    ),
    Mutant(
        "key-kept-after-the-end",
        "A saga that has ended holds its keys for ever.",
        (Edit(held_keys._wanted, "() if saga.record.status in _ENDED else ", ""),),
        workload="held",
    ),
    Mutant(
        "key-kept-by-one-it-ended",
        "A saga that a key of another ends at once holds its own keys for ever.",
        (Edit(interpreter._follow_keys, "held_keys.give_up(saga)", "pass"),),
        workload="random",
        unseen="Of 5,000 random programs two show it: few ask for a key of another before they owe anything",
        held_by="tests/unit/saga/test_held_keys.py",
    ),
    Mutant(
        "wait-left-at-its-old-key",
        "A wait whose key has another value waits for the old one.",
        (Edit(held_keys._moved_to, "yield from _waits_moved(saga, key, value)", "yield from ()"),),
        unseen="A wait by a former key ends with its time, as one whose event never comes",
        held_by="tests/unit/saga/test_held_keys.py",
    ),
    Mutant(
        "wait-left-at-the-new-key",
        "A saga that goes on by its key's former value waits for ever by the present one.",
        (Edit(awaits.answered, "node.standing and answer.command_id", "False and answer.command_id"),),
        workload="held",
    ),
    Mutant(
        "early-event-forgotten",
        "An event that came before its saga waited is not handed to it.",
        (Edit(KeysBehaviour._wait, "if not entry.early:", "if True:"),),
        workload="awaited",
    ),
    Mutant(
        "key-taken-over",
        "A second instance takes a key over from one that waits.",
        (Edit(KeysBehaviour._wait, "if entry.status == AwaitedEvent.WAITING and not is_same:", "if False:"),),
        workload="awaited",
    ),
    Mutant(
        "event-counts-twice",
        "A key that has had its event hands the next one over as well.",
        (
            Edit(
                KeysBehaviour._count,
                "entry.status, entry.counted = AwaitedEvent.COUNTED, _digest(event)",
                "entry.counted = _digest(event)",
            ),
        ),
        workload="awaited",
    ),
    Mutant(
        "late-event-kept",
        "An event that comes after the end of a wait is kept for whoever waits next.",
        (
            Edit(
                KeysBehaviour._event,
                "entry.status == AwaitedEvent.UNKNOWN_YET or",
                "entry.status in (AwaitedEvent.UNKNOWN_YET, AwaitedEvent.STOPPED) or",
            ),
        ),
        workload="awaited",
    ),
    Mutant(
        "wait-not-withdrawn",
        "A saga that goes on without its event holds the key for ever.",
        (Edit(awaits.fired, "withdraw(saga, task)", "pass"),),
        workload="awaited",
    ),
)
