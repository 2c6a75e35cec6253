"""The transitions that one commit writes. What comes while the store waits to begin may still join them.

    Committer ──Batch──▶ Store.commit: waits for its lock ──top_up──▶ the Committer's queue, once more

With several nodes on one file, a commit waits for the others longer than it takes itself. What comes meanwhile shares
the commit, instead of waiting for a lock of its own. So the batch is as large as the load makes it.
"""

from __future__ import annotations

from collections.abc import Callable

from runtime.store.groups import Unit

__all__ = ["Batch"]


class Batch(list[Unit]):
    """The transitions of one commit, in order."""

    def __init__(self, units: list[Unit], more: Callable[[], list[Unit]]) -> None:
        super().__init__(units)
        self._more = more

    def top_up(self) -> list[Unit]:
        """Take in what has come since, and give it. The store calls this at most once, perhaps on its own thread.

        It does so when it is about to write, and nothing can keep it from beginning any more.
        """
        new = self._more()
        self.extend(new)
        return new
