"""A reaction: a kind answers an event by a command to itself, as a choreography has declared."""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from runtime.contracts import Contract, is_message_type, names_of
from runtime.store.records import Subscription

__all__ = ["Reaction", "command_of"]


@dataclass(frozen=True, slots=True)
class Reaction:
    """A kind answers an event by a command to itself, as part of a choreography; None means nothing to do."""

    event_type: type[Message]
    kind: str
    translate: Callable[[Any], Message | None]
    key_field: str  # dotted; of the event, naming the key of the kind that reacts
    process: str
    starts: bool = False
    where_field: str = ""
    where_value: str = ""
    command: Contract | None = None  # what `translate` makes; None: any that the kind handles
    only_field: str = ""  # of the event; it is reacted to only if it has this value
    only_value: str = ""

    def subscriptions(self) -> tuple[Subscription, ...]:
        """By each name of the event: an older build says it under a former one."""
        about = (self.kind, self.key_field, self.process, self.starts, self.where_field, self.where_value)
        return tuple(Subscription(name, *about) for name in names_of(self.event_type))


def command_of(reaction: Reaction) -> str:
    """Full name of what a reaction leads to, by its annotation."""
    declared = typing.get_type_hints(reaction.translate).get("return")
    commands = [one for one in (declared, *typing.get_args(declared)) if is_message_type(one)]
    return commands[0].DESCRIPTOR.full_name if commands else ""
