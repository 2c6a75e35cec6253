"""Writes a plan in one statement, which undoes itself when not everything was as expected.

    plan ──arrays──▶ statement `commit` ──▶ 0                       all of it is written
                                        ──▶ an error with counts    nothing is, and a lone transition has its verdict

One round trip for a group without conflicts, and no transaction that waits for its client. Each refusal leaves a line
in the server's log.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from runtime.errors import StoreBusy
from runtime.store.groups import transitions_of
from runtime.store.plan import CommitPlan
from runtime.store.postgresql.statements import PARTS, named_statements, rows_of
from runtime.store.records import Verdict

__all__ = ["Fence", "write"]

_COUNTS = re.compile(r"amends (\d+) (\d+) (\d+) (\d+)")
_TRIES_MAX = 10


@dataclass(slots=True)
class Fence:
    """The row of `committers` that every commit of one open store locks, and its generation.

    Whoever raises the generation waits for a commit that holds the row, and refuses one that has not locked it yet.
    """

    name: str
    generation: int = 1
    stale: bool = field(default=True)  # The row is not there, or says another generation: make it anew.


async def write(connection: Any, plan: CommitPlan, fence: Fence) -> Verdict:
    """COMMITTED, or what was not as expected, and then nothing was written. The plan is apart."""
    arrays = _arrays(plan)
    for _ in range(_TRIES_MAX):
        if fence.stale:
            fence.generation = await connection.fetchval(named_statements()["enlist"], fence.name, fence.generation)
            fence.stale = False
        try:
            await connection.fetchval(named_statements()["commit"], fence.name, fence.generation, *arrays)
        except asyncpg.InvalidTextRepresentationError as error:
            found = _COUNTS.search(str(error))
            if found is None:
                raise
            verdict = _judge(plan, fence, *map(int, found.groups()))
            if verdict is not Verdict.COMMITTED:
                return verdict
        else:
            return Verdict.COMMITTED
    raise StoreBusy(f"others handled the same messages {_TRIES_MAX} times while they were posted; try again later")


def _judge(plan: CommitPlan, fence: Fence, fenced: int, turned: int, done: int, late: int) -> Verdict:
    """Why a plan was undone. COMMITTED: nothing is wrong with the plan itself, and it can be written as it is."""
    if not fenced:
        fence.stale = True
        return Verdict.COMMITTED
    if turned < _turned(plan):
        return Verdict.CONFLICT
    if done < _done(plan):
        return Verdict.MAIL_MISSING
    # A copy of mail that was handled meanwhile: the next snapshot sees it in the history.
    return Verdict.COMMITTED if late else Verdict.DUPLICATE


def _arrays(plan: CommitPlan) -> list[object]:
    """The parameters behind the fence: three counts, and the rows of each part as arrays."""
    rows: list[Sequence[object]] = []
    posted = 0
    for part in PARTS:
        values = rows_of(plan, part)
        if part.name == "posted":
            values = _unhandled(plan, values, part.layout.names)
            posted = len(values) // part.layout.width
        rows += part.arrays(values)
    return [_turned(plan), _done(plan), posted if plan.checks_duplicates else 0, *rows]


def _unhandled(plan: CommitPlan, mail: Sequence[object], names: tuple[str, ...]) -> Sequence[object]:
    """Without mail that the plan itself puts into the history, which the statement cannot see there yet."""
    if not (plan.sees_itself and plan.history):
        return mail
    handled = {(done.conversation, done.id) for transition in transitions_of(plan.batch) for done in transition.history}
    conversation, id = names.index("conversation"), names.index("id")
    rows = zip(*[iter(mail)] * len(names), strict=True)
    return [value for row in rows if (row[conversation], row[id]) not in handled for value in row]


def _turned(plan: CommitPlan) -> int:
    return sum(transition.actor is not None for transition in transitions_of(plan.batch))


def _done(plan: CommitPlan) -> int:
    turns = transitions_of(plan.batch)
    return sum(len(one.consumed) + len(one.given_up) + len(one.rescheduled) + len(one.history) for one in turns)
