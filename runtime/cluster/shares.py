"""How many shards of a kind each of its hosts should run. A pure function of who hosts, who runs how many, and loads.

    place ──shares(kind's hosts)──▶ numbers that differ by one at most, and add up to the shards of the kind

Some hosts get one more than others where the division leaves a rest. Whoever runs one more already keeps it, so that
nothing moves for its sake. The exception is a host that has clearly more of other kinds than the rest of the hosts:
without it, who came first would keep every kind that has fewer shards than hosts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["shares"]

_LOAD_SLACK = 20  # A host may have a twentieth more than the least loaded one before it yields its one more.


def shares(hosts: Sequence[str], held: Mapping[str, int], loads: Mapping[str, int], shards: int) -> dict[str, int]:
    """The number of shards for each host of one kind.

    `hosts`: at least one; the order decides between equal ones. `held`: the shards of the kind that a host runs.
    `loads`: the shares of other kinds that a host has been given already. `shards`: how many the kind has.
    """
    each, rest = divmod(shards, len(hosts))
    least = min(loads[name] for name in hosts)
    most = least + (least + each) // _LOAD_SLACK
    ranked = sorted(hosts, key=lambda name: (loads[name] > most, held[name] <= each, loads[name]))
    with_one_more = frozenset(ranked[:rest])
    return {name: each + (name in with_one_more) for name in hosts}
