"""One run as text for people, and as an object for scripts."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.testing.runs.run import RunResult

__all__ = ["as_object", "story"]


def story(result: RunResult, again: str = "") -> Iterable[str]:
    """Tells the end of a run, the conversations of its violations, and the command that runs it `again`."""
    yield ""
    broken = len(result.violations)
    yield f"seed {result.seed}: {broken} promises broken" if broken else f"seed {result.seed}"
    yield f"trace {result.trace}, {result.steps:,} steps, {result.took_s:.1f} s simulated"
    yield "before the end:"
    yield from (f"  {event}" for event in result.last)
    for conversation, text in list(result.conversations.items())[:3]:
        yield f"conversation {conversation.hex()}:"
        yield from (f"  {line}" for line in text.splitlines())
    for one in result.violations[:20]:
        yield f"{one.invariant}: {one.what}"
    if again:
        yield f"again: python -m runtime.testing {again}"


def as_object(result: RunResult) -> dict[str, object]:
    """An object for JSON."""
    return {
        "seed": result.seed,
        "trace": result.trace,
        "steps": result.steps,
        "simulated_s": round(result.took_s, 3),
        "violations": [{"invariant": one.invariant, "what": one.what} for one in result.violations],
        "faults": dict(sorted(result.faults.items())),
        "figures": dict(sorted(result.figures.items())),
    }
