"""Failpoints under simulation: how often each was reached in a run, and who is killed or frozen at which.

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
    """Kill whoever reaches the point for the `hits`th time from now on; `then` is laid when that has happened.

    One that is `lasting` outlives the storm. With `freeze_s`, who reaches the point is frozen for so long instead.
    """

    point: Failpoint
    hits: int = 1
    then: Ambush | None = None
    lasting: bool = False
    freeze_s: float = 0.0


class Ambushes:
    """Those of one run."""

    def __init__(self) -> None:
        self.reached: Counter[Failpoint] = Counter()
        self.sprung = 0
        self._armed: list[Ambush] = []

    def arm(self, ambush: Ambush) -> None:
        self._armed.append(ambush)

    def clear(self) -> None:
        """Call them off, but for those that last."""
        self._armed = [one for one in self._armed if one.lasting]

    def springs(self, point: Failpoint) -> Ambush | None:
        """Note that a point was reached; gives the ambush that whoever reached it runs into, if one was laid."""
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
