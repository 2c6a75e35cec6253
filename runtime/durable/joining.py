"""A command from outside that joins a choreography: by its name, and by the conversation that it goes on with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from runtime.durable.client import CommandOptions
from runtime.durable.command_ids import ID_BYTES
from runtime.errors import InvalidMessage

__all__ = ["check_joining"]


def check_joining(options: CommandOptions, choreographies: Callable[[], Sequence[str]]) -> None:
    """Raises InvalidMessage for what is no choreography. What is said to a saga itself names its own kind."""
    process, conversation = options.get("process", ""), options.get("conversation", b"")
    if not process or process == options.get("kind", ""):
        return
    known = choreographies()
    if process not in known:
        raise InvalidMessage(
            f"there is no choreography {process!r} that a command could be part of; there are "
            f"{', '.join(known) or 'none'}. What a saga drives is joined by nobody"
        )
    if conversation and len(conversation) != ID_BYTES:
        raise InvalidMessage(
            f"a conversation has {ID_BYTES} bytes, not {len(conversation)}: give that of the outcome which began it"
        )
