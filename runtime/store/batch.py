"""What one commit writes, and may still be joined by whatever came while the store waited to begin.

    Committer ──Batch──▶ Store.commit: waits for its lock ──top_up──▶ the Committer's queue, once more

With several nodes on one file a commit waits for the others' longer than it takes. What comes meanwhile shares it,
instead of waiting for a lock of its own: the batch is as large as the load makes it.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.store.records import Transition

__all__ = ["Batch"]


class Batch(list[Transition]):
    """The transitions of one commit, in order."""

    def __init__(self, transitions: list[Transition], more: Callable[[], list[Transition]]) -> None:
        super().__init__(transitions)
        self._more = more

    def top_up(self) -> list[Transition]:
        """Take what has come since; the new ones, which are in the batch as well. Called once at the most.

        For a store that is about to write and cannot fail to begin any more; may be called from a thread of its own.
        """
        new = self._more()
        self.extend(new)
        return new
