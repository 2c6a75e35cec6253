"""An actor's state during a turn: written out after each message, or, if it is large, once a turn.

What is written out is the last good point, from which a state is put back after a handler has failed. Between messages
over a large state there is none: a turn in which a handler fails then is lost, and what was in it runs again, each
message in a turn of its own.
"""

from __future__ import annotations

from google.protobuf.message import Message

from runtime.durable.turn.draft import Draft
from runtime.errors import StateTooLarge

__all__ = ["StateKeeper"]

_LARGE = 1 << 16  # bytes that are too many to be written out after each message


class StateKeeper:
    """Writes the state of one turn into its draft."""

    __slots__ = ("_draft", "_state", "is_careful", "is_unkept")

    def __init__(self, draft: Draft, state: Message) -> None:
        self._draft = draft
        self._state = state
        self.is_careful = False  # written out after each message, however large
        self.is_unkept = False  # messages have changed it since it was written out

    def goes_alone(self, has_failed: bool) -> bool:
        """Over a large state, what has failed has a turn of its own: the state before it has to be known."""
        is_large = self.is_unkept or len(self._draft.state_bytes) > _LARGE
        return is_large and (self.is_careful or has_failed)

    def keep_all(self) -> None:
        """The turn ends. Raises StateTooLarge."""
        self.is_careful = True
        self.keep()

    def keep(self) -> None:
        """A handler has returned. Raises StateTooLarge."""
        draft = self._draft
        if not self.is_careful and (self.is_unkept or len(draft.state_bytes) > _LARGE):
            self.is_unkept = True
            return
        state_bytes, limit = self._state.SerializeToString(), draft.kind.limits.state_bytes_max
        if len(state_bytes) > limit:
            kind, key = draft.address
            raise StateTooLarge(
                f"the state of kind {kind}, key {key}, has {len(state_bytes):,} bytes; the limit is {limit:,} "
                "(setting state_bytes_max). Keep what grows outside of the state, or in actors of its own"
            )
        draft.state_bytes = state_bytes
        self.is_unkept = False
