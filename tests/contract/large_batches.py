"""I15 for batches of more rows than a statement of the SQLite store takes, drawn from one number.

Up to 32 rows go into one statement, more are cut into powers of two, and at most 128 go into one. A verdict must not
depend on where a transition stands, nor on how many stand beside it.

    drawn(dice) ──the same batch──▶ MemoryStore, SqliteStore ──▶ differences
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runtime.adapters import system_ports
from runtime.store.memory import MemoryStore
from runtime.store.port import Store
from runtime.store.records import Expected, Outcome, Transition, Verdict
from runtime.store.sqlite import SqliteStore
from runtime.testing.conformance.samples import EMPTY, SHARD, actor_row, history_row, id_of, mail_row, post
from runtime.testing.virtual.dice import Dice

__all__ = ["Unwritable", "differences", "drawn"]

_SIZES = (33, 34, 63, 64, 65, 96, 127, 128, 129, 160, 200, 257)
_KINDS = ("billing", "sales")
_NOT_THERE, _SENT = 900_000, 500_000  # ids from here on


@dataclass(frozen=True, slots=True)
class Unwritable:
    """Which of a batch's transitions cannot be written, by place, and why."""

    late: frozenset[int] = frozenset()  # started from another row
    bereft: frozenset[int] = frozenset()  # handles what does not wait
    parked: frozenset[int] = frozenset()  # puts off what does not wait
    handled: frozenset[int] = frozenset()  # handles what was handled
    posted: frozenset[int] = frozenset()  # a post, of what was posted before
    twice: frozenset[int] = frozenset()  # repeats the turn before it


def drawn(dice: Dice) -> tuple[int, Unwritable]:
    """A size, and few that are wrong, often where statements and halves end."""
    size = dice.choose(_SIZES)
    edges = [place for place in (0, 1, 31, 32, 63, 64, 127, 128, size // 2, size - 1) if place < size]

    def places() -> frozenset[int]:
        count = dice.choose((0, 0, 1, 1, 2, 4))
        return frozenset(dice.choose(edges) if dice.chance(0.5) else dice.below(size) for _ in range(count))

    return size, Unwritable(places(), places(), places(), places(), places(), places())


async def differences(size: int, wrong: Unwritable, path: Path) -> Iterator[str]:
    """Where SQLite, in a file that is not there yet, answers otherwise than the memory store, or keeps other rows."""
    memory, sqlite = MemoryStore(system_ports()), SqliteStore(path, system_ports())
    await sqlite.open()
    try:
        answers = [await _verdicts(store, size, wrong) for store in (memory, sqlite)]
        rows = [await _rows(store, size) for store in (memory, sqlite)]
    finally:
        await sqlite.close()
    return _told(answers, rows)


def _told(answers: Sequence[list[Verdict]], rows: Sequence[list[object]]) -> Iterator[str]:
    if len(answers[0]) != len(answers[1]):
        yield f"{len(answers[1])} verdicts of {len(answers[0])} transitions"
    for place, (expected, found) in enumerate(zip(*answers, strict=False)):
        if expected is not found:
            yield f"transition {place} of {len(answers[0])} is {found.name}, not {expected.name}"
    if rows[0] != rows[1]:
        yield "the rows differ that are left"


async def _verdicts(store: Store, size: int, wrong: Unwritable) -> list[Verdict]:
    first = await store.commit([_first(number) for number in range(size)])
    assert set(first) == {Verdict.COMMITTED}, first
    await store.commit([_tombstone(number) for number in sorted(wrong.handled)])
    return await store.commit([_next(number, wrong) for number in range(size)])


def _first(number: int) -> Transition:
    """Two messages that wait for an actor, which every third has no row of yet."""
    mail = tuple(mail_row(id, _key(number), conversation=number) for id in (2 * number, 2 * number + 1))
    if number % 3 == 0:
        return post(*mail)
    actor = actor_row(_key(number), last=number, conversation=number)
    return Transition(actor=actor, expected=EMPTY, mail=mail)


def _next(number: int, wrong: Unwritable) -> Transition:
    """The actor's next turn, which handles the first message, puts the second off, and sends one; or a post."""
    if number in wrong.posted:
        return post(mail_row(2 * number + 1, _key(number), conversation=number))
    if number in wrong.twice and number:
        return _next(number - 1, replace(wrong, twice=frozenset()))
    done = _NOT_THERE + number if number in wrong.bereft else 2 * number
    later = _NOT_THERE + number if number in wrong.parked else 2 * number + 1
    was = EMPTY if number % 3 == 0 else Expected(1, id_of(number))
    if number in wrong.late:
        was = Expected(1, id_of(_NOT_THERE))
    actor = actor_row(_key(number), last=done, conversation=number, revision=was.revision + 1)
    return Transition(
        actor=actor,
        expected=was,
        consumed=(id_of(done),),
        history=(history_row(done, _key(number), conversation=number),),
        rescheduled=(mail_row(later, _key(number), conversation=number, due_at_s=300.0, attempts=1),),
        mail=(mail_row(_SENT + number, _key(number), kind="sales", conversation=number, sequence=1),),
    )


def _tombstone(number: int) -> Transition:
    return Transition(history=(history_row(2 * number, _key(number), conversation=number, outcome=Outcome.UNDONE),))


async def _rows(store: Store, size: int) -> list[object]:
    found: list[object] = [await store.actors(_KINDS[0], limit=999)]
    for kind in _KINDS:
        found.append(await store.waiting(kind, [SHARD], due_before_s=1e9, sent_before_s=1e9, limit=9999))
    found += [await store.conversation(id_of(number)) for number in range(size)]
    return found


def _key(number: int) -> str:
    return f"k{number:04}"
