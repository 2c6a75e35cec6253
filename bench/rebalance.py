"""Moves, and the time until every shard is owned again, when a node of a large cluster dies, comes, or leaves.

python -m bench.rebalance [--nodes 100] [--kinds 5] [--beside 1] [--shards-per-kind 2000] [--json]

Membership, leases, placement and hand-over are the product's, over one store in memory, in virtual time. Actors are
missing: shards are run in name only. So the figures show rounds and leases, and not what rows cost in a real store.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from typing import Any

import click

from runtime.adapters import AsyncioTasks
from runtime.cluster.beside import with_wishes
from runtime.cluster.lease import ClusterSettings
from runtime.cluster.membership import Membership
from runtime.cluster.placement import Slot, place
from runtime.ports import Ports
from runtime.store.memory import MemoryStore
from runtime.store.records import ClusterView, NodeRow
from runtime.testing.virtual.clock import VirtualClock, VirtualLoop
from runtime.testing.virtual.dice import Dice

__all__ = ["main"]

_POLL_S = 0.02
_WITHIN_S = 60.0


@click.command(help=__doc__)
@click.option("--nodes", type=click.IntRange(3), default=100, show_default=True)
@click.option("--kinds", type=click.IntRange(1), default=5, show_default=True, help="Each node hosts all of them.")
@click.option("--beside", type=click.IntRange(0), default=0, show_default=True, help="So many live beside the first.")
@click.option("--shards-per-kind", type=click.IntRange(1), default=2000, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def main(nodes: int, kinds: int, beside: int, shards_per_kind: int, as_json: bool) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        figures = runner.run(measure(nodes, kinds, beside, shards_per_kind))
    if as_json:
        print(json.dumps(figures))
        return
    print(f"{nodes} nodes, {kinds * shards_per_kind} shards")
    print(f"  {figures['place_ms']:6.1f} ms to compute a placement in which one node's share moves")
    for event in ("dies", "comes", "leaves"):
        one = figures[event]
        print(
            f"  a node {event}: {one['moves']} shards move, {one['ratio']:.2f} times its share of {one['share']};",
            end=" ",
        )
        print(f"all are run, and equally, after {one['even_s']:.2f} s, {one['even_leases']:.2f} leases;", end=" ")
        print(f"the longest that one was not run: {one['unrun_s']:.2f} s")


async def measure(nodes: int, kinds: int, beside: int, shards_per_kind: int) -> dict[str, Any]:
    world = SimulatedMembers(kinds, beside, shards_per_kind)
    await asyncio.gather(*(world.start(f"node-{number}") for number in range(nodes)))
    await world.even()
    figures: dict[str, Any] = {}
    figures["dies"] = await world.change("node-0", world.kill)
    figures["comes"] = await world.change("newcomer", world.start)
    figures["leaves"] = await world.change("newcomer", world.stop)
    began_s = time.perf_counter()
    place(list(world.hosts.values())[1:], (await world.store.cluster()).shards, shards_per_kind)
    figures["place_ms"] = round((time.perf_counter() - began_s) * 1e3, 1)
    return figures


class SimulatedMember:
    """One node: its membership, and the tasks that end with it. It runs its shards in name only."""

    def __init__(self, world: SimulatedMembers, name: str, number: int) -> None:
        row = NodeRow(name, f"life-{number}", f"127.0.0.1:{number}", world.kinds, "1")
        self.row = with_wishes(row, world.beside)
        self.ends_at_once = False
        self._world = world
        self._tasks = AsyncioTasks()
        self._running: list[asyncio.Task[Any]] = []
        ports = Ports(world.clock, Dice(number, "ids"), Dice(number, "randomness"), self, lambda fact: None)
        self.membership = Membership(world.store, ports, self.row, self, world.settings, world.nobody_answers)

    # --- the tasks of the process ---

    def start(self, coroutine: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        task = self._tasks.start(coroutine, name=name)
        self._running.append(task)
        task.add_done_callback(self._running.remove)
        return task

    def call_soon(self, *call: Any) -> Any:
        return self._tasks.call_soon(*call)

    def new_future(self) -> asyncio.Future[Any]:
        return self._tasks.new_future()

    def kill(self) -> None:
        self.ends_at_once = True
        for task in list(self._running):
            task.cancel()
        self._world.lay_down(
            self.row.name, [slot for slot, name in self._world.run_by.items() if name == self.row.name]
        )

    # --- the owner of its shards ---

    async def take_over(self, kind: str, shards: frozenset[int]) -> None:
        self._world.take_up(self.row.name, [(kind, shard) for shard in sorted(shards)])

    async def release(self, kind: str, shards: frozenset[int]) -> None:
        self._world.lay_down(self.row.name, [(kind, shard) for shard in sorted(shards)])

    def on_lease_lost(self, reason: str) -> None:
        if not self.ends_at_once:
            raise AssertionError(f"{self.row.name} lost its lease, and nothing takes that long here: {reason}")

    def on_view(self, view: ClusterView) -> None: ...


class SimulatedMembers:
    """A store in memory, the nodes on it, and who runs which shard."""

    def __init__(self, kinds: int, beside: int, shards_per_kind: int) -> None:
        self.kinds = tuple(f"kind-{number}" for number in range(kinds))
        self.beside = dict.fromkeys(self.kinds[1 : beside + 1], self.kinds[0])
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.settings = ClusterSettings(shards_per_kind=shards_per_kind)
        ports = Ports(self.clock, Dice(0, "ids"), Dice(0, "randomness"), AsyncioTasks(), lambda fact: None)
        self.store = MemoryStore(ports)
        self.hosts: dict[str, NodeRow] = {}  # the nodes that live and do not leave
        self.run_by: dict[Slot, str] = {}
        self.taken: list[Slot] = []
        self.unrun_s = 0.0  # the longest that a shard was run by nobody
        self._laid_down_at_s: dict[Slot, float] = {}
        self._nodes: dict[str, SimulatedMember] = {}

    async def nobody_answers(self, address: str) -> str | None:
        return None

    async def start(self, name: str) -> None:
        node = self._nodes[name] = SimulatedMember(self, name, len(self._nodes) + 1)
        self.hosts[name] = node.row
        await node.membership.start()

    async def stop(self, name: str) -> None:
        del self.hosts[name]
        node = self._nodes[name]
        if not await node.membership.leave():
            raise AssertionError(f"{name} did not give all its shards away")
        node.ends_at_once = True

    async def kill(self, name: str) -> None:
        del self.hosts[name]
        self._nodes[name].kill()

    def take_up(self, name: str, slots: list[Slot]) -> None:
        for slot in slots:
            if slot in self.run_by:
                raise AssertionError(f"{name} and {self.run_by[slot]} both run {slot}")
            self.run_by[slot] = name
            self.taken.append(slot)
            now_s = self.clock.monotonic_s()
            self.unrun_s = max(self.unrun_s, now_s - self._laid_down_at_s.pop(slot, now_s))

    def lay_down(self, name: str, slots: list[Slot]) -> None:
        for slot in slots:
            del self.run_by[slot]
            self._laid_down_at_s[slot] = self.clock.monotonic_s()

    async def change(self, name: str, act: Any) -> dict[str, Any]:
        """Have a node come or go; what moved, and how long it took until all are equal again."""
        before = dict(self.run_by)
        self.taken.clear()
        self.unrun_s, began_s = 0.0, self.clock.monotonic_s()
        await act(name)
        await self.even()
        even_s = self.clock.monotonic_s() - began_s
        share = sum(owner == name for owner in (self.run_by if name in self.hosts else before).values())
        return {
            "share": share,
            "moves": len(self.taken),
            "ratio": round(len(self.taken) / share, 3),
            "even_s": round(even_s, 2),
            "even_leases": round(even_s / self.settings.lease_s, 2),
            "unrun_s": round(self.unrun_s, 2),
        }

    async def even(self) -> None:
        """Wait until every shard is run where it belongs."""
        until_s = self.clock.monotonic_s() + _WITHIN_S
        while True:
            rows = (await self.store.cluster()).shards
            wanted = place(self.hosts.values(), rows, self.settings.shards_per_kind)
            if self.run_by == wanted:
                return
            if self.clock.monotonic_s() > until_s:
                raise AssertionError(
                    f"{len(wanted.items() - self.run_by.items())} shards are not run where they belong"
                )
            await self.clock.sleep(_POLL_S)


if __name__ == "__main__":
    main()
