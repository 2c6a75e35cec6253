"""Handlers that run for long, as nodes have told the store, and what they mean for an actor that waits, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from runtime.envelope import address_of
from runtime.operate.spans import span
from runtime.store.records import Busy, BusyHandler, ClusterView

__all__ = ["Work", "own_lines", "owner_lines", "refusals_of", "warnings_of", "works_of"]

_LONG_S = 10.0  # a handler that waits for so long is worth a warning; one that blocks is at once
_LOG = "'handler blocks loop' in its log has the stack"
_MEND = "mend it, so that it awaits, or does such work in asyncio.to_thread"


@dataclass(frozen=True, slots=True)
class Work:
    """A handler that runs, or ran when its node ended. Instants are seconds since 1970."""

    node: str
    incarnation: str
    handler: str
    type: str
    address: str
    id: str  # of its message
    timer: str
    blocks_loop: bool  # True: its node's event loop stands still; False: it waits for something
    since_s: float
    ends_at_s: float | None  # the instant at which it is cancelled; nobody can cancel one that blocks
    told_at_s: float
    runs: bool  # False: its node has ended or stands still, and was last busy with it
    node_alive: bool  # whether its node has a lease

    @property
    def name(self) -> str:
        return f"{self.handler} ({self.type.rpartition('.')[2]})"


def works_of(view: ClusterView, notes: Iterable[Busy]) -> tuple[Work, ...]:
    """Handlers that run, and handlers that a node was busy with before it lost its lease or was started anew."""
    rows = {node.name: node for node in view.nodes}
    works = []
    for busy in notes:
        row = rows.get(busy.node)
        alive = row is not None and row.incarnation == busy.incarnation and row.lease_until_s > view.now_s
        runs = busy.until_s > view.now_s and (row is None or row.incarnation == busy.incarnation)
        if runs or not alive:  # a node that lives and tells nothing more has ended those handlers
            works += [_work(busy, one, runs=runs, alive=alive) for one in busy.handlers]
    return tuple(works)


def _work(busy: Busy, one: BusyHandler, *, runs: bool, alive: bool) -> Work:
    return Work(
        busy.node,
        busy.incarnation,
        one.handler,
        one.type,
        address_of(one.kind, one.key),
        one.id.hex(),
        one.timer,
        one.blocks_loop,
        one.since_s,
        None if one.blocks_loop else one.since_s + one.timeout_s,
        busy.told_at_s,
        runs,
        alive,
    )


def own_lines(works: Sequence[Work], now_s: float) -> Iterator[str]:
    """What an actor waits for because of its own handlers."""
    for work in works:
        ran = span(now_s - work.since_s)
        if not work.runs:
            ran, ago = span(work.told_at_s - work.since_s), span(now_s - work.told_at_s)
            blocked = ", and blocked its event loop" if work.blocks_loop else ""
            yield (
                f"a node, again: {work.node}@{work.incarnation}, which has ended or stands still, was last busy with "
                f"its handler {work.name}, which had been running for {ran}{blocked}, {ago} ago"
            )
        elif work.blocks_loop:
            yield (
                f"its handler {work.name} has been running on node {work.node} for {ran}, and blocks its event loop: "
                f"{_nothing_else(work)}"
            )
            yield _cure(work)
        else:
            left = span((work.ends_at_s or now_s) - now_s)
            yield (
                f"its handler {work.name} has been running on node {work.node} for {ran}, and waits; it is cancelled, "
                f"and that run has failed, in {left} (handler_timeout_s)"
            )
            yield "see what it waits for: it can be mended, or the wait for it be bounded"


def owner_lines(work: Work, now_s: float) -> Iterator[str]:
    """What an actor waits for because another actor's handler blocks its owner."""
    yield (
        f"its owner's event loop has been blocked for {span(now_s - work.since_s)} by {work.name} of {work.address} "
        f"on node {work.node}: {_nothing_else(work)}"
    )
    yield _cure(work)


def warnings_of(works: Sequence[Work], now_s: float) -> Iterator[str]:
    """What the list of nodes says of handlers that run."""
    for work in works:
        if work.runs and work.blocks_loop:
            ran = span(now_s - work.since_s)
            yield f"the event loop of {work.node} has been blocked for {ran} by {work.name} of {work.address}"
    for node in dict.fromkeys(work.node for work in works):
        long = [w for w in works if w.node == node and w.runs and not w.blocks_loop and now_s - w.since_s > _LONG_S]
        if long:
            first = min(long, key=lambda work: work.since_s)
            yield (
                f"handlers that have been running on {node} for more than {span(_LONG_S)}: {len(long)}, longest "
                f"{first.name} of {first.address}, for {span(now_s - first.since_s)}"
            )


def refusals_of(view: ClusterView, notes: Iterable[Busy]) -> Iterator[str]:
    """What the list of nodes says of nodes that refuse new commands."""
    live = {(one.name, one.incarnation) for one in view.nodes if one.lease_until_s > view.now_s}
    for note in notes:
        if note.refuses_since_s and (note.node, note.incarnation) in live:
            lasts = span(view.now_s - note.refuses_since_s)
            yield f"{note.node} has refused new commands for {lasts}: more messages wait there than its backlog_max"


def _nothing_else(work: Work) -> str:
    return "nothing else runs there" + ("" if work.node_alive else ", and it has lost its lease by that")


def _cure(work: Work) -> str:
    return f"a person, to go on before it returns: end the process of {work.node} ({_LOG}); then {_MEND}"
