"""Whether a commit of unknown outcome was written, judged by what the store has now.

    Traces.of(batch)  ──▶ what to look up, of the whole batch at once
    the adapter       ──▶ Found: the rows that are there
    was_written(transition, found)

A transition is known by its history, else by its mail, else by what it left behind; `Store.settle` says it in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from runtime.envelope import Address
from runtime.store.groups import TransitionGroup, Unit, transitions_of
from runtime.store.plan import Slot, encodable_transition, spelt_out
from runtime.store.records import ActorRow, HistoryRow, MailRow, Transition

__all__ = ["Found", "Traces", "Waits", "was_written"]

Waits = tuple[float, int, str]  # Of a message that waits: due_at_s, attempts, parked.


@dataclass(frozen=True, slots=True)
class Traces:
    """The keys of all rows that may tell what became of a batch, each once."""

    handled: tuple[tuple[bytes, bytes], ...]  # conversation and id
    waiting: tuple[Slot, ...]
    actors: tuple[Address, ...]

    @classmethod
    def of(cls, units: Sequence[Unit]) -> Traces:
        batch = transitions_of(units)
        posted = [row for transition in batch if not transition.history for row in transition.mail]
        handled = [(row.conversation, row.id) for transition in batch for row in transition.history]
        handled += [(row.conversation, row.id) for row in posted]
        waiting = [_slot(row) for row in posted]
        waiting += [slot for transition in batch for slot in _touched(transition)]
        actors = [transition.actor.address for transition in batch if transition.actor is not None]
        return cls(tuple(dict.fromkeys(handled)), tuple(dict.fromkeys(waiting)), tuple(dict.fromkeys(actors)))


@dataclass(frozen=True, slots=True)
class Found:
    """Those of the rows that are there, read after the lost commit can no longer come true."""

    handled: Mapping[tuple[bytes, bytes], HistoryRow]
    waiting: Mapping[Slot, Waits]
    actors: Mapping[Address, ActorRow]


def was_written(unit: Unit, found: Found) -> bool:
    if isinstance(unit, TransitionGroup):
        return all(_was_written(one, found) for one in unit.members)
    return _was_written(unit, found)


def _was_written(transition: Transition, found: Found) -> bool:
    if transition.history:
        return all(_is_handled_so(row, found) for row in transition.history)
    if transition.mail:
        return all(_is_known(row, found) for row in transition.mail)
    if transition.actor is not None:
        row = found.actors.get(transition.actor.address)
        return row is not None and row in (transition.actor, encodable_transition(transition).actor)
    removed = (*transition.consumed, *transition.given_up)
    if any((*transition.slice, transition.key, id) in found.waiting for id in removed):
        return False
    return all(_is_put_off_so(transition, row, found) for row in transition.rescheduled)


def _is_handled_so(row: HistoryRow, found: Found) -> bool:
    """By the same attempt: one node may have begun the same turn twice."""
    there = found.handled.get((row.conversation, row.id))
    if there is None:
        return False
    return (there.revision, there.handled_at_s, there.node) == (row.revision, row.handled_at_s, row.node)


def _is_known(row: MailRow, found: Found) -> bool:
    return _slot(row) in found.waiting or (row.conversation, row.id) in found.handled


def _is_put_off_so(transition: Transition, row: MailRow, found: Found) -> bool:
    there = found.waiting.get((*transition.slice, transition.key, row.id))
    if there is None:
        return False
    spelt = replace(row, parked=spelt_out(row.parked))
    return there in [(one.due_at_s, one.attempts, one.parked) for one in (row, spelt)]


def _touched(transition: Transition) -> Iterator[Slot]:
    """Mail that tells of a transition without history, mail and actor."""
    if not (transition.history or transition.mail or transition.actor):
        for id in (*transition.consumed, *transition.given_up, *(row.id for row in transition.rescheduled)):
            yield (*transition.slice, transition.key, id)


def _slot(row: MailRow) -> Slot:
    return row.kind, row.shard, row.key, row.id
