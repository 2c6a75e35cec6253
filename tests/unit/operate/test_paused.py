"""What nodes have paused, as an operator lists it: on the command line, and by the service."""

from __future__ import annotations

import asyncio
import json

from click.testing import CliRunner

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.observe.busy import BusyTeller
from runtime.operate.paused import PauseEntry, paused
from runtime.ports import Running
from runtime.protos import admin_pb2 as pb
from runtime.saga.pauses import Pauses
from runtime.store.memory import MemoryStore
from tests.unit.gateway.desk.serving import serving
from tests.unit.operate.conftest import store
from tests.unit.operate.rows import join

__all__ = ["store"]


async def pausing(store: MemoryStore, node: str = "one", incarnation: str = "abc") -> Pauses:
    """A node that has paused billing, with what has told the store so."""
    ports = system_ports()
    pauses = Pauses(1, lambda _: None)
    pauses.need("order-process", ["billing"])
    BusyTeller(store, ports.clock, (), node, incarnation, pauses).listen(ports.handling)
    pauses.failed("billing", "ORD-1", "bank closed", 5.0)
    if ports.handling.tell is not None:
        ports.handling.tell(list[Running](), 3.0)
    return pauses


async def test_a_pause_is_listed_until_it_ends(store: MemoryStore) -> None:
    await join(store, "one", kinds=("order-process",))
    (row,) = (await store.cluster()).nodes
    pauses = await pausing(store, incarnation=row.incarnation)
    entry = PauseEntry("billing", ("order-process",), "one", 5.0, "bank closed")
    assert await paused(store) == [entry]
    async with serving(store) as stub:
        (told,) = (await stub.ListPauses(pb.ListPausesRequest())).pauses
        assert (told.participant, list(told.sagas), told.since_s) == ("billing", ["order-process"], 5.0)
    pauses.answered("billing", 9.0)
    assert await paused(store) == []


async def test_what_a_node_without_a_lease_has_paused_holds_nobody_back(store: MemoryStore) -> None:
    await pausing(store, node="gone")
    assert await store.busy() and await paused(store) == []


def test_the_command_lists_them(store: MemoryStore) -> None:
    async def fill() -> None:
        await join(store, "one", kinds=("order-process",))
        (row,) = (await store.cluster()).nodes
        await pausing(store, incarnation=row.incarnation)

    assert "nothing is paused" in CliRunner().invoke(admin, ["pauses"], obj=Session(store=store)).output
    asyncio.run(fill())
    shown = CliRunner().invoke(admin, ["pauses"], obj=Session(store=store)).output
    assert "billing" in shown and "order-process" in shown and "bank closed" in shown
    (told,) = json.loads(CliRunner().invoke(admin, ["pauses", "--json"], obj=Session(store=store)).output)
    assert (told["participant"], told["node"]) == ("billing", "one")
