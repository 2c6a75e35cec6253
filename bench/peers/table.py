"""The comparison in lines for people: medians of the rounds, and ratios to Amends within the same round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from bench.peers.measure import PeerFigures

__all__ = ["comparison", "flush_lines", "lines_of"]

_FIRST = "amends"
_ROWS = (
    ("order sagas a second, at a time", "sagas_per_s", 1.0, "{:.0f}"),
    ("p50 in ms, at a time", "p50_ms", 1.0, "{:.0f}"),
    ("p50 in ms, one at a time", "single_p50_ms", 1.0, "{:.1f}"),
    ("CPU in ms of an order, at a time", "cpu_s_per_order", 1000.0, "{:.1f}"),
    ("CPU in ms of an order, one at a time", "single_cpu_s_per_order", 1000.0, "{:.1f}"),
)
_AFTER_A_KILL = (
    ("orders under way at the kill", "killed_under_way", "{:.0f}"),
    ("s until all processes had started again", "restarted_s", "{:.1f}"),
    ("s more until all accepted orders were ready", "resumed_s", "{:.1f}"),
)


def lines_of(figures: PeerFigures) -> Iterator[str]:
    """One run."""
    named = ", ".join(f"{name} {version}" for name, version in figures.versions.items())
    yield f"{figures.system} ({named})"
    for what, name, scale, form in _ROWS:
        yield f"  {form.format(getattr(figures, name) * scale):>10} {what}"
    yield "  an order that the warehouse refused was refunded, once"
    if figures.killed_accepted:
        yield (
            f"  kill -9 of everything with {figures.killed_under_way} orders under way: all {figures.killed_accepted} "
            f"accepted ones were ready {figures.resumed_s:.1f} s after a restart of {figures.restarted_s:.1f} s"
        )


def flush_lines(flushes: Mapping[str, float]) -> Iterator[str]:
    for system, count in flushes.items():
        yield f"{count:10.1f} flushes of the disk for an order on {system}, one at a time"


def comparison(rounds: Sequence[Mapping[str, PeerFigures]]) -> Iterator[str]:
    """Rows of a Markdown table: the median of each system with the least and the most, and by that of Amends."""
    systems = list(rounds[0])
    yield f"| {len(rounds)} rounds | " + " | ".join(systems) + " |"
    yield "|---|" + "---|" * len(systems)
    for what, name, scale, form in _ROWS:
        found = {one: [float(getattr(each[one], name)) * scale for each in rounds] for one in systems}
        yield f"| {what} | " + " | ".join(_spread(found[one], form) for one in systems) + " |"
        if _FIRST in systems:
            ratios = {one: [a / b for a, b in zip(found[one], found[_FIRST], strict=True)] for one in systems}
            yield "| by that of Amends | " + " | ".join(_spread(ratios[one], "{:.2f}") for one in systems) + " |"
    if all(each[one].killed_accepted for each in rounds for one in systems):
        for what, name, form in _AFTER_A_KILL:
            after = {one: [float(getattr(each[one], name)) for each in rounds] for one in systems}
            yield f"| {what} | " + " | ".join(_spread(after[one], form) for one in systems) + " |"


def _spread(values: Sequence[float], form: str) -> str:
    middle = form.format(median(values))
    return middle if len(values) == 1 else f"{middle} ({form.format(min(values))} to {form.format(max(values))})"
