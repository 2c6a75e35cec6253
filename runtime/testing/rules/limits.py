"""I13: queues in memory stay within their limits. What does not fit waits in the store, or is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from runtime.durable.region.sweeper import Sweeper
from runtime.host import Node
from runtime.mesh.frame_stream import MeshSettings
from runtime.testing.rules.ledger import Violation
from runtime.testing.virtual.dice import Dice

__all__ = ["DEATHS_MAX", "SmallLimits", "draw_limits", "draw_small", "over_limits"]

_TURN_ROOM = 1  # A running batch has left the mailbox, and still counts as pending.
DEATHS_MAX = (
    40  # Nodes die so often here that twelve deaths over one message are mere chance, once in thousands of runs.
)


def draw_limits(dice: Dice) -> dict[str, Any]:
    """Draws limits for a node: mostly the defaults, sometimes so small that a run meets them."""
    limits: dict[str, Any] = {"node_deaths_max": DEATHS_MAX}
    if dice.chance(0.3):
        limits["mailbox_max"] = dice.choose((5, 2, 1))
    if dice.chance(0.3):
        limits["turn_messages_max"] = dice.choose((7, 2, 1))
    if dice.chance(0.2):
        limits["activations_max"] = dice.choose((8, 3))
    if dice.chance(0.2):
        limits["idle_s"] = 0.5
    if limits.get("mailbox_max") == 1:
        limits["backlog_max"] = 4  # Not drawn: a seed draws what it drew before there was this limit.
    if (chains := dice.named("chains")).chance(0.3):  # Dice of their own change no draw of older seeds.
        limits["chain_messages_max"] = chains.choose((3, 1, 0))
    return limits


@dataclass(frozen=True, slots=True)
class SmallLimits:
    """Limits that no setting sets, for every node of a run. In production they are hardly ever met."""

    links: MeshSettings = field(default_factory=MeshSettings)
    sweep_rows_max: int | None = None  # None keeps the limit of production.
    sure_after: int | None = None  # As in Newcomers; None keeps that of production.

    def set(self, sweeper: Sweeper) -> None:
        """Sets the sweeper's limits, before its first pass."""
        if self.sweep_rows_max is not None:
            sweeper.rows_max = sweeper.reach_max = self.sweep_rows_max
            sweeper.residents.ramp.first = self.sweep_rows_max
        if self.sure_after is not None:
            sweeper.residents.chains.newcomers.sure_after = self.sure_after


def draw_small(dice: Dice) -> SmallLimits:
    """Draws limits: mostly those of production, sometimes so small that a page, a frame or the credit is filled."""
    links = MeshSettings()
    if dice.chance(0.25):
        links = replace(links, frame_messages_max=dice.choose((8, 4, 3)))
    if dice.chance(0.15):
        links = replace(links, window_bytes=dice.choose((16_384, 4_096, 1_024)))
    if dice.chance(0.15):
        links = replace(links, queue_max=dice.choose((16, 8, 4)))
    rows_max = dice.choose((8, 4, 3)) if dice.chance(0.25) else None
    guesses = dice.named("newcomers")
    return SmallLimits(links, rows_max, guesses.choose((2, 1, 0)) if guesses.chance(0.2) else None)


def over_limits(node: Node) -> Iterator[Violation]:
    """Everything in one node that is larger than its limits."""
    settings = node.settings
    pending_max = settings.mailbox_max + min(settings.turn_messages_max, settings.mailbox_max) * _TURN_ROOM
    for kind, sweeper in node.shards.sweepers.items():
        residents = sweeper.residents
        if len(residents) > settings.activations_max:
            yield _over(node, f"{len(residents)} actors of {kind} in memory", settings.activations_max)
        if residents.pending_max > pending_max:
            yield _over(node, f"{residents.pending_max} messages for one {kind} in memory", pending_max)
    for peer in node.mesh.status():
        if peer.queued > node.mesh.settings.queue_max:
            yield _over(node, f"{peer.queued} messages queue for {peer.node}", node.mesh.settings.queue_max)
    if node.committer.waiting > node.committer.waiting_max:
        yield _over(node, f"{node.committer.waiting} transitions queue", node.committer.waiting_max)


def _over(node: Node, what: str, limit: int) -> Violation:
    return Violation("I13", f"{node.name}: {what}, {limit} are allowed")
