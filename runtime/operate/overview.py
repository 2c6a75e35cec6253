"""How all that a store has stands, in one sentence: the first line of the page and of `amends admin top`."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.operate.spans import span
from runtime.operate.standing import StoreStanding, many
from runtime.store.records import ClusterView

__all__ = ["for_how_long", "sentence"]


def sentence(standing: StoreStanding, view: ClusterView) -> str:
    """What is worst comes first."""
    return f"{', '.join([*_owed(standing), *_sagas(standing)]) or 'No saga is under way'}; {_nodes(view)}."


def for_how_long(seconds: float) -> str:
    """In words that change once a minute, so that a page does not change more often."""
    if seconds < 120:
        return "less than a minute" if seconds < 60 else "a minute"
    return span(seconds)


def _owed(standing: StoreStanding) -> Sequence[str]:
    owing, since_s = many(standing.owed)
    if since_s is None:
        return ()
    owes = "saga owes an undo" if owing == 1 else "sagas owe an undo"
    return (f"{owing:,} {owes}, the first for {for_how_long(standing.now_s - since_s)}",)


def _sagas(standing: StoreStanding) -> Sequence[str]:
    told = (
        ("stuck", "is stuck", "are stuck"),
        ("compensating", "turns back", "turn back"),
        ("suspended", "is suspended", "are suspended"),
        ("running", "goes forward", "go forward"),
    )
    said = []
    for status, one, several in told:
        count, _ = many(tally for of, tally in standing.sagas if of == status)
        if count:
            said.append(f"{count:,} {f'saga {one}' if count == 1 else f'sagas {several}'}")
    return said


def _nodes(view: ClusterView) -> str:
    if not view.nodes:
        return "no node has joined"
    live = sum(node.lease_until_s > view.now_s for node in view.nodes)
    nodes = "node" if len(view.nodes) == 1 else "nodes"
    return f"{live} of {len(view.nodes)} {nodes} {'has' if live == 1 else 'have'} a lease"
