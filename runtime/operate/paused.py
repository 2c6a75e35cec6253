"""Participants that are paused since they keep failing, as nodes have told the store."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.store.port import OperatorStore

__all__ = ["PauseEntry", "paused"]


@dataclass(frozen=True, slots=True)
class PauseEntry:
    """One participant, as one node sees it. Instants are seconds since 1970."""

    participant: str  # its kind
    sagas: tuple[str, ...]  # kinds whose new instances wait on this node until it answers
    node: str
    since_s: float
    error: str  # with which the pause began


async def paused(store: OperatorStore) -> list[PauseEntry]:
    """By participant and node; of nodes that have a lease. Raises StoreError."""
    notes, view = await store.busy(), await store.cluster()
    live = {(one.name, one.incarnation) for one in view.nodes if one.lease_until_s > view.now_s}
    found = [
        PauseEntry(kind, tuple(filter(None, sagas.split(", "))), note.node, since_s, error)
        for note in notes
        if (note.node, note.incarnation) in live
        for kind, since_s, error, sagas in note.pauses
    ]
    return sorted(found, key=lambda entry: (entry.participant, entry.node))
