"""I14: only what is old is forgotten, whatever clocks say, and only if nothing needs it any more.

Database.purge ──conversations gone──▶ Ledger.forgot ──▶ broken_purge ──▶ (text, conversation)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from runtime.store.records import HistoryRow

__all__ = ["broken_purge", "old_before_s"]

_DRIFT = 0.05  # Two clocks may differ by this share, if each runs up to 2 % fast or slow.


def old_before_s(true_s: float, retention_s: float, clocks_wrong_s: float) -> float:
    """The instant before which history is old, by a clock that may have been so wrong."""
    return true_s - retention_s * (1 - _DRIFT) + clocks_wrong_s


def broken_purge(
    gone: AbstractSet[bytes],
    needed: AbstractSet[bytes],
    history: Mapping[bytes, Mapping[bytes, HistoryRow]],
    before_s: float,
) -> Iterator[tuple[str, bytes]]:
    """What is wrong with a purge. The conversations `needed` have mail or a timer; history before `before_s` is old."""
    for conversation in sorted(gone):
        if conversation in needed:
            yield "a conversation was forgotten while mail or a timer of it still waits", conversation
        early_s = max((row.handled_at_s for row in history.get(conversation, {}).values()), default=0.0) - before_s
        if early_s > 0:
            yield f"a conversation was forgotten {early_s:.0f} s before it was old", conversation
