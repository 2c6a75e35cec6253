"""Makes things go wrong with real node processes, for a while: kills, freezes, broken links, wrong clocks.

    Chaos.run ──draws from the seed──▶ kill, or a Trouble ──▶ NodeProcess, ProxiedLink, WallClock of a Harness
        └── Trouble: begins ── lasts a moment ── ends          Chaos.heal: all of it is over, every node runs

The seed decides what happens to whom, how long it lasts, and in which order. It does not decide when processes run, so
the same seed is the same weather, and not the same run. At most half of the nodes are down or frozen at a time, and at
most TROUBLES_MAX troubles last at once; further ones are left out. If two troubles of one link overlap, both end with
the first.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from examples.storm.troubles import Trouble, Troubles, about
from runtime.adapters import SystemClock
from runtime.testing.name_list import name_list
from runtime.testing.processes.harness import Harness
from runtime.testing.processes.process import ProcessFailed
from runtime.testing.virtual.dice import Dice

__all__ = ["TROUBLES_MAX", "Chaos", "Pace"]

TROUBLES_MAX = 6
_LOOK_S = 0.02


@dataclass(frozen=True, slots=True)
class Pace:
    """Mean times. Each duration is drawn from 0.5 to 1.5 times the given one."""

    kill_every_s: float = 0.7
    trouble_every_s: float = 0.6
    restart_after_s: float = 0.3
    freeze_s: float = 1.0
    trouble_s: float = 1.5


class Chaos:
    """The chaos of one harness, which needs proxied=True. Clocks are moved if the harness has them."""

    def __init__(self, harness: Harness, victims: Sequence[str], seed: int, pace: Pace | None = None) -> None:
        """`victims` are the names of the nodes that may be hit. All of them must have been started."""
        self.counts: Counter[str] = Counter()
        self._harness = harness
        self._victims = name_list(victims, "victims")
        self._pace = pace or Pace()
        self._clock = SystemClock()
        self._kill_dice = Dice(seed, "kills")
        self._dice = Dice(seed, "troubles")
        self._numbers = itertools.count()
        self._now: dict[int, str] = {}
        self._down: dict[str, None] = {}  # Nodes that are frozen, or were killed and are not up again.
        self._troubles = Troubles(harness, self._victims, self._dice)

    @property
    def now(self) -> tuple[str, ...]:
        """What is wrong at this moment, as texts for people, the oldest first."""
        return tuple(self._now.values())

    async def run(self, seconds: float) -> None:
        """Rages, then heals, and returns when every node serves again.

        Raises ProcessFailed if a node ends that nobody has killed, or does not start again.
        """
        try:
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._watch())
                await self._rage(seconds)
                watching.cancel()
        except ExceptionGroup as failed:  # The group ended the other tasks when the first one failed.
            raise failed.exceptions[0] from None
        finally:
            self.heal()

    async def _rage(self, seconds: float) -> None:
        until_s = self._clock.monotonic_s() + seconds
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._kill_some(group, until_s))
                group.create_task(self._make_troubles(group, until_s))
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None

    async def _watch(self) -> None:
        """Notices a node that has ended by itself, before somebody starts it again."""
        nodes = self._harness.nodes
        while True:
            for name in self._victims:
                if nodes[name].ended_unasked:
                    tails = self._harness.log_tails()
                    raise ProcessFailed(f"{name} ended by itself: {nodes[name].describe()}\n{tails}")
            await self._clock.sleep(_LOOK_S)

    def heal(self) -> None:
        """Sets everything right: links, clocks, and nodes that run."""
        for name in self._victims:
            for link in self._harness.proxies[name].links.values():
                link.heal()
            node = self._harness.nodes[name]
            if node.frozen:
                node.thaw()
            if name in self._harness.clocks:
                self._harness.clocks[name].shift(0.0)

    # --- kills ---

    async def _kill_some(self, group: asyncio.TaskGroup, until_s: float) -> None:
        dice, pace = self._kill_dice, self._pace
        while await self._is_time(about(dice, pace.kill_every_s), until_s):
            name, after_s = dice.choose(self._victims), about(dice, pace.restart_after_s)
            if self._claims(name):
                group.create_task(self._kill(name, after_s))

    async def _kill(self, name: str, after_s: float) -> None:
        self.counts["kills"] += 1
        with _Noted(self, f"{name} killed", down=name):
            self._harness.nodes[name].kill()
            await self._clock.sleep(after_s)
            await self._harness.restart(name)

    def _claims(self, name: str) -> bool:
        """Says whether this node may be felled. It counts as down from now on, before the task for it has begun."""
        if name in self._down or 2 * (len(self._down) + 1) > len(self._victims):
            return False
        self._down[name] = None
        return True

    # --- troubles ---

    async def _make_troubles(self, group: asyncio.TaskGroup, until_s: float) -> None:
        while await self._is_time(about(self._dice, self._pace.trouble_every_s), until_s):
            left_s = until_s - self._clock.monotonic_s()
            if self._dice.chance(0.25):
                name, lasts_s = self._dice.choose(self._victims), about(self._dice, self._pace.freeze_s)
                if self._claims(name):
                    group.create_task(self._freeze(name, min(lasts_s, left_s)))
                continue
            trouble = self.draw(left_s)
            if len(self._now) < TROUBLES_MAX:
                group.create_task(self._last(trouble))

    def draw(self, lasts_s_max: float) -> Trouble:
        """Draws the next trouble of a link or a clock. Nobody has begun it."""
        return self._troubles.draw(self._pace.trouble_s, lasts_s_max)

    async def _freeze(self, name: str, lasts_s: float) -> None:
        self.counts["freezes"] += 1
        with _Noted(self, f"{name} frozen", down=name):
            node = self._harness.nodes[name]
            await asyncio.to_thread(node.freeze)  # It waits for each thread of the node, and proxies must go on.
            await self._clock.sleep(lasts_s)
            node.thaw()

    async def _last(self, trouble: Trouble) -> None:
        self.counts[trouble.name] += 1
        with _Noted(self, trouble.what):
            trouble.begin()
            try:
                await self._clock.sleep(trouble.lasts_s)
            finally:
                trouble.end()

    async def _is_time(self, delay_s: float, until_s: float) -> bool:
        """Waits until the next event. False if nothing more happens before the end."""
        left_s = max(0.0, until_s - self._clock.monotonic_s())
        await self._clock.sleep(min(delay_s, left_s))
        return delay_s < left_s


class _Noted:
    """Shows `what` as wrong while it is entered. Then the node `down`, if any, may be hit again."""

    def __init__(self, chaos: Chaos, what: str, *, down: str = "") -> None:
        self._chaos = chaos
        self._what = what
        self._down = down
        self._number = next(chaos._numbers)

    def __enter__(self) -> None:
        self._chaos._now[self._number] = self._what

    def __exit__(self, *error: object) -> None:
        del self._chaos._now[self._number]
        self._chaos._down.pop(self._down, None)
