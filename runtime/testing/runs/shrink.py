"""Makes a failing run smaller: fewer faults, fewer clients and plainer choices still break the same promise.

    Tape ──set some draws to zero──▶ run ──breaks the same invariant?──▶ keep it, else try others

It first cuts groups of streams, then single streams (a client never acts, a network is never slow), then ever smaller
blocks of the rest, as delta debugging does (Zeller and Hildebrandt, 2002). Every try costs one run, so the number of
tries is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from runtime.testing.runs.run import RunResult, simulate_seed
from runtime.testing.runs.workload import Workload
from runtime.testing.virtual.tape import Player, Recorder, Tape

__all__ = ["Shrunk", "play", "record", "shrink"]


@dataclass(frozen=True, slots=True)
class _Block:
    """Draws of one stream, from `begin` to before `end`."""

    stream: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The smallest failing run that was found. `before` and `after` count its decisions that are not the plainest."""

    tape: Tape
    result: RunResult
    before: int
    after: int
    runs: int


def record(seed: int, workload: Workload, name: str, *, calm: bool = False) -> tuple[RunResult, Tape]:
    """Runs a seed and keeps its decisions. The tape names the workload by `name`."""
    dice = Recorder(seed)
    result = simulate_seed(seed, workload, calm=calm, dice=dice)
    return result, Tape(seed, name, dice.streams)


def play(tape: Tape, workload: Workload, *, calm: bool = False) -> RunResult:
    """Runs a tape."""
    return simulate_seed(tape.seed, workload, calm=calm, dice=Player(tape))


def shrink(
    tape: Tape,
    workload: Workload,
    *,
    runs_max: int = 500,
    calm: bool = False,
    tried: Callable[[int, int], object] = lambda runs, decisions: None,
    ended: Callable[[], object] = lambda: False,
) -> Shrunk:
    """The smallest run found within `runs_max` tries that breaks what the tape's first violation broke.

    Raises ValueError if the tape breaks nothing. `tried` hears after each try how many there were, and how many
    decisions are left. Nothing more is tried once `ended` is true.
    """
    best = play(tape, workload, calm=calm)
    if not best.violations:
        raise ValueError("nothing to shrink: this run keeps every promise")
    wanted = best.violations[0].invariant
    first, runs = tape.decisions, 1
    for cut in _cuts(tape):
        smaller = _zeroed(tape, cut)
        if smaller is None:
            continue
        if runs >= runs_max or ended():
            break
        result = play(smaller, workload, calm=calm)
        runs += 1
        if any(one.invariant == wanted for one in result.violations):
            tape, best = smaller, result
        tried(runs, tape.decisions)
    return Shrunk(tape, best, first, tape.decisions, runs)


def _cuts(tape: Tape) -> Iterator[list[_Block]]:
    """The cuts to try, the largest first: groups of streams, single streams, then ever smaller blocks of each."""
    names = sorted(tape.streams)
    size = len(names)
    while size:
        for begin in range(0, len(names), size):
            yield [_Block(name, 0, len(tape.streams[name])) for name in names[begin : begin + size]]
        size //= 2
    size = max((len(draws) for draws in tape.streams.values()), default=0) // 2
    while size:
        for name in names:
            for begin in range(0, len(tape.streams[name]), size):
                yield [_Block(name, begin, begin + size)]
        size //= 2


def _zeroed(tape: Tape, cut: list[_Block]) -> Tape | None:
    """The tape without the decisions of some blocks; None if they had none."""
    streams = dict(tape.streams)
    changed = False
    for block in cut:
        draws = streams[block.stream]
        if any(draws[block.begin : block.end]):
            end = min(block.end, len(draws))
            streams[block.stream] = draws[: block.begin] + [0] * (end - block.begin) + draws[end:]
            changed = True
    return replace(tape, streams=streams) if changed else None
