"""What an order costs beside the yardstick: both in turn, so that they meet the same machine.

The yardstick places over unary calls, and over a stream when the orders do. CPU is that of all processes: nodes or
processes, and the client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.yardstick import BareLoad

__all__ = ["RoundInTurn", "compare"]


@dataclass(frozen=True, slots=True)
class RoundInTurn:
    """One round: what orders came to, and what the yardstick did, by its way of placing."""

    orders: Mapping[str, Any]
    bare: Mapping[str, Mapping[str, float]]

    def ratio(self, figure: str, placing: str) -> float:
        return float(self.orders[figure]) / self.bare[placing][figure]


def compare(
    run: Callable[[], dict[str, Any]],
    measure: Callable[[Sequence[BareLoad]], Sequence[Mapping[str, float]]],
    load: BareLoad,
    rounds: int,
) -> tuple[dict[str, Any], list[str]]:
    """The figures of the last run with the ratios of all rounds, and lines for people. Who goes first changes.

    `run` measures orders, `measure` the yardstick under these loads.
    """
    ways = dict.fromkeys(("unary", load.placing))
    bare = [BareLoad(load.concurrency, load.orders, way) for way in ways]
    beside: list[RoundInTurn] = []
    for number in range(rounds):
        first = run() if number % 2 == 0 else None
        yardstick = dict(zip(ways, measure(bare), strict=True))
        beside.append(RoundInTurn(first or run(), yardstick))
    ratios: dict[str, dict[str, float]] = {}
    for figure, what in (("cpu_s_per_saga", "cpu"), ("sagas_per_s", "rate")):
        for way in ways:
            name = f"{what}_ratio_to_yardstick{'' if way == 'unary' else '_by_stream'}"
            ratios[name] = _spread([one.ratio(figure, way) for one in beside])
    return {**beside[-1].orders, **ratios}, [*_rounds(beside), *_lines(ratios)]


def _spread(ratios: Sequence[float]) -> dict[str, float]:
    return {"median": round(median(ratios), 3), "least": round(min(ratios), 3), "most": round(max(ratios), 3)}


def _rounds(beside: Sequence[RoundInTurn]) -> Iterator[str]:
    for one in beside:
        yardstick = ", ".join(
            f"by {way} {each['cpu_s_per_saga'] * 1000:.2f} ms and {each['sagas_per_s']:,.0f}/s"
            for way, each in one.bare.items()
        )
        orders = f"{one.orders['cpu_s_per_saga'] * 1000:.2f} ms of CPU an order and {one.orders['sagas_per_s']:,.0f}/s"
        yield f"  {orders}; yardstick {yardstick}"


def _lines(ratios: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    for name, each in ratios.items():
        yield f"  {name}: {each['median']:.2f} in the median, {each['least']:.2f} to {each['most']:.2f}"
