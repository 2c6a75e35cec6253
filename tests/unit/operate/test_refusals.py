"""Nodes that refuse new commands, as an operator is warned of them."""

from __future__ import annotations

from runtime.adapters import system_ports
from runtime.durable.region.headroom import Headroom
from runtime.observe.busy import BusyTeller
from runtime.operate.busy import refusals_of
from runtime.saga.pauses import Pauses
from runtime.store.committer import Committer
from runtime.store.memory import MemoryStore
from tests.unit.operate.conftest import store
from tests.unit.operate.rows import join

__all__ = ["store"]


async def test_a_node_that_refuses_new_commands_is_named_until_it_takes_them_again(store: MemoryStore) -> None:
    await join(store, "one", kinds=("billing",))
    (row,) = (await store.cluster()).nodes
    ports = system_ports()
    headroom = Headroom(Committer(store, ports), ports, node="one", backlog_max=10, sweep_s=1.0)
    pauses = Pauses(1, lambda _: None)
    BusyTeller(store, ports.clock, (), "one", row.incarnation, pauses, headroom).listen(ports.handling)

    async def told() -> list[str]:
        return list(refusals_of(await store.cluster(), await store.busy()))

    headroom.found("billing", 10)
    assert await told() == []
    headroom.found("billing", 11)
    (line,) = await told()
    assert line.startswith("one has refused new commands for ")
    pauses.failed("billing", "ORD-1", "bank closed", 5.0)
    assert len(await told()) == 1, "what else the node tells takes nothing of it away"
    headroom.found("billing", 5)
    assert await told() == []


async def test_a_node_that_has_ended_refuses_nothing_any_more(store: MemoryStore) -> None:
    await join(store, "one", kinds=("billing",))
    ports = system_ports()
    headroom = Headroom(Committer(store, ports), ports, node="one", backlog_max=10, sweep_s=1.0)
    BusyTeller(store, ports.clock, (), "one", "an earlier life", Pauses(1, lambda _: None), headroom).listen(
        ports.handling
    )
    headroom.found("billing", 11)
    assert list(refusals_of(await store.cluster(), await store.busy())) == []
