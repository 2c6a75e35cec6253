"""What may be wrong for a while with the links and clocks of real node processes.

Chaos ──draw──▶ Troubles ──▶ Trouble: begin, end ──▶ ProxiedLink, WallClock of a Harness
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from runtime.testing.processes.harness import Harness
from runtime.testing.processes.proxy import ProxiedLink
from runtime.testing.virtual.dice import Dice

__all__ = ["Trouble", "Troubles", "about"]

_SHIFTS_S = (-2.0, -0.5, 0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong from `begin` to `end`."""

    name: str  # The name under which it is counted.
    what: str  # What goes wrong where, for people.
    lasts_s: float
    begin: Callable[[], object]
    end: Callable[[], object]


class Troubles:
    """Draws troubles of the nodes in `victims`, and of their clocks if the harness has clocks."""

    def __init__(self, harness: Harness, victims: tuple[str, ...], dice: Dice) -> None:
        self._harness = harness
        self._victims = victims
        self._dice = dice
        self._sources = ("", *victims)
        self._draws = _DRAWS if harness.clocks else tuple(draw for draw in _DRAWS if draw is not Troubles._wrong_clock)

    def draw(self, mean_s: float, lasts_s_max: float) -> Trouble:
        """Draws the next trouble. Nobody has begun it."""
        return self._dice.choose(self._draws)(self, min(about(self._dice, mean_s), lasts_s_max))

    def _cut(self, lasts_s: float) -> Trouble:
        what, link = self._some_link()
        silent = self._dice.chance(0.3)
        how = "silent" if silent else "cut"
        return Trouble("cuts", f"{what} {how}", lasts_s, lambda: link.cut(silent=silent), link.heal)

    def _isolate(self, lasts_s: float) -> Trouble:
        """Cuts one node from its peers, in both directions. Clients still reach it."""
        name = self._dice.choose(self._victims)
        others = [other for other in self._victims if other != name]
        links = [self._harness.link(*pair) for other in others for pair in ((name, other), (other, name))]
        return Trouble(
            "cuts",
            f"{name} alone",
            lasts_s,
            lambda: _each(link.cut for link in links),
            lambda: _each(link.heal for link in links),
        )

    def _freeze_link(self, lasts_s: float) -> Trouble:
        what, link = self._some_link()
        way = self._dice.choose((link.there, link.back))
        which = "frozen" if way is link.there else "frozen backwards"
        return Trouble("frozen_links", f"{what} {which}", lasts_s, way.freeze, way.thaw)

    def _delay(self, lasts_s: float) -> Trouble:
        what, link = self._some_link()
        delay_s = self._dice.choose((0.005, 0.05, 0.3))

        def begin() -> None:
            link.there.delay_s = link.back.delay_s = delay_s

        return Trouble("delays", f"{what} +{delay_s * 1000:g} ms", lasts_s, begin, link.heal)

    def _throttle(self, lasts_s: float) -> Trouble:
        what, link = self._some_link()

        def begin() -> None:
            link.there.bytes_per_s = link.back.bytes_per_s = 50_000.0

        return Trouble("throttles", f"{what} slow", lasts_s, begin, link.heal)

    def _swallow(self, lasts_s: float) -> Trouble:
        what, link = self._some_link()
        break_s = self._dice.between(0.02, 0.3)
        return Trouble(
            "swallowed", f"{what} swallowed", lasts_s, lambda: link.swallow_replies(then_break_s=break_s), link.heal
        )

    def _duplicate(self, lasts_s: float) -> Trouble:
        """Has connections begin anew. Each of them arrives twice, as long as it lives."""
        what, link = self._some_link()

        def begin() -> None:
            link.duplicates = True
            link.reset()

        return Trouble("duplications", f"{what} twice", lasts_s, begin, link.heal)

    def _wrong_clock(self, lasts_s: float) -> Trouble:
        """Moves the clock of one node, or those of all by the same, as if they shared a machine."""
        off_s = self._dice.choose(_SHIFTS_S)
        together = self._dice.chance(0.5)
        names = self._victims if together else (self._dice.choose(self._victims),)
        clocks = [self._harness.clocks[name] for name in names]
        return Trouble(
            "clock_shifts",
            f"clock of {'all' if together else names[0]} {off_s:+g} s",
            lasts_s,
            lambda: _each(partial(clock.shift, off_s) for clock in clocks),
            lambda: _each(partial(clock.shift, 0.0) for clock in clocks),
        )

    def _some_link(self) -> tuple[str, ProxiedLink]:
        target = self._dice.choose(self._victims)
        source = self._dice.choose([name for name in self._sources if name != target])
        return f"{source or 'clients'} to {target}", self._harness.link(source, target)


def about(dice: Dice, mean_s: float) -> float:
    """Draws a time from half to one and a half times the mean."""
    return dice.between(0.5 * mean_s, 1.5 * mean_s)


def _each(acts: Iterable[Callable[[], object]]) -> None:
    for act in acts:
        act()


_DRAWS: tuple[Callable[[Troubles, float], Trouble], ...] = (
    Troubles._cut,
    Troubles._isolate,
    Troubles._freeze_link,
    Troubles._delay,
    Troubles._throttle,
    Troubles._swallow,
    Troubles._duplicate,
    Troubles._wrong_clock,
)
