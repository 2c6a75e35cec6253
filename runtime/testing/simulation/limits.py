"""I13: what queues in memory stays under its limits; what does not fit waits in the store or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runtime.host import Node
from runtime.testing.simulation.dice import Dice
from runtime.testing.simulation.ledger import Violation

__all__ = ["draw_limits", "over_limits"]

_TURN_ROOM = 1  # a batch that runs has left the mailbox, and is still counted as pending


def draw_limits(dice: Dice) -> dict[str, Any]:
    """Settings of a node: mostly the defaults, sometimes so small that they are met."""
    limits: dict[str, Any] = {}
    if dice.chance(0.3):
        limits["mailbox_max"] = dice.choose((5, 2, 1))
    if dice.chance(0.3):
        limits["turn_messages_max"] = dice.choose((7, 2, 1))
    if dice.chance(0.2):
        limits["activations_max"] = dice.choose((8, 3))
    if dice.chance(0.2):
        limits["idle_s"] = 0.5
    return limits


def over_limits(node: Node) -> Iterator[Violation]:
    """Everything of one node that is larger than its settings allow."""
    settings = node.settings
    pending_max = settings.mailbox_max + min(settings.turn_messages_max, settings.mailbox_max) * _TURN_ROOM
    for kind, activations in node.region.activations.items():
        if len(activations) > settings.activations_max:
            yield _over(node, f"{len(activations)} actors of {kind} in memory", settings.activations_max)
        if activations.pending_max > pending_max:
            yield _over(node, f"{activations.pending_max} messages for one {kind} in memory", pending_max)
    if node.committer.waiting > node.committer.waiting_max:
        yield _over(node, f"{node.committer.waiting} transitions queue", node.committer.waiting_max)


def _over(node: Node, what: str, limit: int) -> Violation:
    return Violation("I13", f"{node.name}: {what}, {limit} are allowed")
