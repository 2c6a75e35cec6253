"""The state of an actor during a turn, as bytes: made after each message, or once a turn if the state is large.

These bytes are the last good point, to which the state returns after a handler has failed. A large state has no such
point between the messages of a turn. If a handler fails there, the whole turn is lost, and its messages run again, each
in a turn of its own.
"""

from __future__ import annotations

from typing import Protocol

from google.protobuf.message import Message

from runtime.envelope import Address
from runtime.errors import StateTooLarge

__all__ = ["StateKeeper"]

_LARGE = 1 << 16  # A state of more bytes is not written out after each message.


class Kept(Protocol):
    """A turn's draft, as far as its state goes."""

    state_bytes: bytes

    @property
    def address(self) -> Address: ...


class StateKeeper:
    """Writes the state of one turn into its draft."""

    __slots__ = ("_bytes_max", "_draft", "_state", "is_careful", "is_unkept")

    def __init__(self, draft: Kept, state: Message, bytes_max: int) -> None:
        self._draft = draft
        self._state = state
        self._bytes_max = bytes_max
        self.is_careful = False  # Write the state out after each message, however large it is.
        self.is_unkept = False  # Messages have changed the state since it was written out.

    def goes_alone(self, has_failed: bool) -> bool:
        """Whether a message needs a turn of its own: it has failed, so the large state before it has to be known."""
        is_large = self.is_unkept or len(self._draft.state_bytes) > _LARGE
        return is_large and (self.is_careful or has_failed)

    def keep_all(self) -> None:
        """Write the state out at the end of the turn. Raises StateTooLarge."""
        self.is_careful = True
        self.keep()

    def keep(self) -> None:
        """Write the state out after a handler has returned, unless it is large. Raises StateTooLarge."""
        draft = self._draft
        if not self.is_careful and (self.is_unkept or len(draft.state_bytes) > _LARGE):
            self.is_unkept = True
            return
        state_bytes, limit = self._state.SerializeToString(), self._bytes_max
        if len(state_bytes) > limit:
            kind, key = draft.address
            raise StateTooLarge(
                f"the state of kind {kind}, key {key}, has {len(state_bytes):,} bytes; the limit is {limit:,} "
                "(setting state_bytes_max). Keep what grows outside of the state, or in actors of its own"
            )
        draft.state_bytes = state_bytes
        self.is_unkept = False
