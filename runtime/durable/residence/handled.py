"""What has run here lately, so that a sweep which read before a turn was committed does not run its mail again.

Release ──consumed──▶ RecentlyHandled ──has_run──▶ a late copy is passed over
                          └────seen_again_in_mail──▶ the store has lost the turn, and it is forgotten here too
"""

from __future__ import annotations

from collections.abc import Mapping

from runtime.envelope import Address

__all__ = ["RecentlyHandled"]

_RECENT_MAX = 8192


class RecentlyHandled:
    """The ids of messages, and their actors: for each kind between one and two times 8,192."""

    def __init__(self) -> None:
        self._newer: dict[bytes, Address] = {}
        self._older: dict[bytes, Address] = {}
        self._found: dict[bytes, None] = {}  # ids that a sweep has found once although they ran here

    def has_run(self, id: bytes, address: Address) -> bool:
        return self._newer.get(id) == address or self._older.get(id) == address

    def add(self, consumed: Mapping[bytes, Address]) -> None:
        if len(self._newer) > _RECENT_MAX:
            self._newer, self._older = {}, self._newer
            self._found.clear()
        self._newer.update(consumed)

    def seen_again_in_mail(self, id: bytes) -> bool:
        """A sweep has found a message in the mail that ran here. It may have read before the turn committed, but once.

        True for the second time: the store has lost that turn, as when a standby takes over that had not received it.
        """
        if id not in self._found:
            self._found[id] = None
            return False
        del self._found[id]
        self._newer.pop(id, None)
        self._older.pop(id, None)
        return True

    def clear(self) -> None:
        self._newer, self._older = {}, {}
        self._found.clear()
