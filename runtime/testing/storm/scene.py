"""What one run begins with: its nodes, their settings, the order of callbacks, and the plan of its faults.

draw_scene(dice, services) ──▶ Scene ──▶ run
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runtime.testing.rules.limits import SmallLimits, draw_limits, draw_small
from runtime.testing.storm.storm import Plan, draw_plan
from runtime.testing.virtual.dice import Dice
from runtime.testing.virtual.order import CallbackOrder
from runtime.testing.world.ambush import Ambush
from runtime.testing.world.node import NodeSpec

__all__ = ["Scene", "draw_scene"]


@dataclass(frozen=True, slots=True)
class Scene:
    order: CallbackOrder
    nodes: tuple[NodeSpec, ...]
    plan: Plan
    settings: Mapping[str, Any] = field(default_factory=dict)  # Every node has these.
    ambush: Ambush | None = None  # It is armed before the first step.
    restart_s: float = 0.5  # A node that died at a failpoint is started again after this.
    failures_max: int = 50  # After so many failed turns in a row a kind is slowed to trials.
    small: SmallLimits = field(default_factory=SmallLimits)  # Limits that no setting sets.


def draw_scene(dice: Dice, services: Sequence[str], *, calm: bool = False, order: CallbackOrder | None = None) -> Scene:
    """Draws the scene of a seed. A calm scene has no faults at all."""
    chosen = dice.choose(
        (
            CallbackOrder.PLAIN,
            CallbackOrder.ANY,
            CallbackOrder.PROCESSES,
            CallbackOrder.PRIORITIES,
            CallbackOrder.STARVED,
        )
    )
    return Scene(
        order=order or chosen,
        nodes=_layout(dice.named("layout"), services),
        plan=draw_plan(dice.named("plan"), calm=calm),
        settings=_settings(dice.named("settings")),
        restart_s=dice.choose((0.5, 0.05, 3.0)),  # About a lease later, before the node is missed, or long after.
        failures_max=dice.choose((50, 50, 50, 3)),
        small=draw_small(dice.named("small limits")),
    )


def _layout(dice: Dice, services: Sequence[str]) -> tuple[NodeSpec, ...]:
    """Draws some nodes with all services, or a node for each service, or both."""
    apart = tuple(NodeSpec(service, (service,)) for service in services)
    full = tuple(NodeSpec(f"all-{number}") for number in range(1 + dice.below(3)))
    return dice.choose((full, apart, (*apart, full[0])))


def _settings(dice: Dice) -> dict[str, Any]:
    return {"store": "memory:", "shards_per_kind": dice.choose((1, 2, 4)), "drain_s": 3.0, **draw_limits(dice)}
