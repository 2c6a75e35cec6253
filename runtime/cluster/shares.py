"""How many shards of a kind each of its hosts should run. A pure function of who hosts, who runs how many, and loads.

    place ──shares(kind's hosts)──▶ numbers that differ by one at most, and add up to the shards of the kind

Some hosts get one more than others where the division leaves a rest. Whoever runs one more already keeps it, so that
nothing moves for its sake. The exception is a host that has clearly more of other kinds than the rest of the hosts:
without it, who came first would keep every kind that has fewer shards than hosts.

Where shards of a kind follow those of another one, their number is given, and the others fill up: first the hosts with
the fewest. So hosts differ by more than one only by what follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["shares"]

_LOAD_SLACK = 20  # A host may have a twentieth more than the least loaded one before it yields its one more.


def shares(
    hosts: Sequence[str], held: Mapping[str, int], loads: Mapping[str, int], shards: int, given: Mapping[str, int]
) -> dict[str, int]:
    """The number of shards for each host of one kind, beside those that follow others.

    `hosts`: at least one; the order decides between equal ones. `held`: the shards of the kind that a host runs, of
    those that follow none. `loads`: the shares of other kinds that a host has been given already. `shards`: how many
    of the kind follow none. `given`: how many a host has of those that follow others.
    """
    level, rest = _level(sorted(given[name] for name in hosts), shards)
    base = {name: max(0, level - given[name]) for name in hosts}
    low = [name for name in hosts if given[name] <= level]
    least = min(loads[name] for name in low)
    most = least + (least + level) // _LOAD_SLACK
    ranked = sorted(low, key=lambda name: (loads[name] > most, held[name] <= base[name], loads[name]))
    with_one_more = frozenset(ranked[:rest])
    return {name: base[name] + (name in with_one_more) for name in hosts}


def _level(given: Sequence[int], shards: int) -> tuple[int, int]:
    """How many each host has once the least ones are filled up, and how many shards are left then.

    `given` ascends. What is left is less than the number of hosts that have no more than that.
    """
    filled = 0
    for count, next_one in enumerate((*given[1:], None), start=1):
        filled += given[count - 1]
        level, rest = divmod(shards + filled, count)
        if next_one is None or level < next_one:
            return level, rest
    raise AssertionError("a kind has a host")
