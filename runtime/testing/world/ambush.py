"""Failpoints under simulation: counts how often each is reached, and has a node killed or frozen at some.

node ──failpoint(point)──▶ Ambushes ──an armed one springs──▶ SimNode.kill, and Killed ends what it was doing
                                                       SimNode.freeze, until the storm thaws it
storm, exhaustive runs ──arm──▶
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from runtime.failpoints import Failpoint

__all__ = ["Ambush", "Ambushes"]


@dataclass(slots=True)
class Ambush:
    """Kills the node that reaches the point for the `hits`th time from now on, and then arms `then`.

    A `lasting` ambush outlives the storm. With `freeze_s` the node is frozen for so long, and not killed.
    """

    point: Failpoint
    hits: int = 1
    then: Ambush | None = None
    lasting: bool = False
    freeze_s: float = 0.0


class Ambushes:
    """The ambushes of one run."""

    def __init__(self) -> None:
        self.reached: Counter[Failpoint] = Counter()
        self.sprung = 0
        self._armed: list[Ambush] = []

    def arm(self, ambush: Ambush) -> None:
        self._armed.append(ambush)

    def clear(self) -> None:
        """Calls off all ambushes that are not `lasting`."""
        self._armed = [one for one in self._armed if one.lasting]

    def springs(self, point: Failpoint) -> Ambush | None:
        """Counts that a point was reached. Gives the ambush that strikes now, if one does."""
        self.reached[point] += 1
        if not self._armed:
            return None
        for ambush in self._armed:
            if ambush.point is point:
                ambush.hits -= 1
                if ambush.hits <= 0:
                    self._spring(ambush)
                    return ambush
        return None

    def _spring(self, ambush: Ambush) -> None:
        self.sprung += 1
        self._armed = [one for one in self._armed if one is not ambush]
        if ambush.then is not None:
            self._armed.append(ambush.then)
