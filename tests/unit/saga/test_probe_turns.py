"""Probes on real turns: a command that a store has lost is absent, and refused should it come after all."""

from __future__ import annotations

from typing import Any

import pytest

from actors.catalogue import catalogue
from actors.orchestration import OrderProcess
from protos.sales_pb2 import CANCELLED, READY_TO_SHIP
from protos.warehouse_pb2 import Restock
from runtime.saga.behaviour import SagaBehaviour
from runtime.saga.probe import Probe
from runtime.store.records import MailRow, Transition, Verdict
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.saga.test_running import bill, order, pause, place, resume, statuses
from tests.unit.saga.test_running import record as record_of

_TIMEOUT_S = 5.0


async def _lost(node: LocalNode) -> MailRow:
    """Take the command of the step that waits for billing out of the store, as if that had lost it."""
    (do,) = await node.mail("billing", "ORD-1")
    gone = Transition(address=do.address, shard=do.shard, consumed=(do.id,))
    assert await node.store.commit([gone]) == [Verdict.COMMITTED]
    return do


def _probed(absent: str) -> list[Any]:
    process = OrderProcess.with_steps(bill={"timeout": _TIMEOUT_S, "probe": Probe(absent=absent)})
    others = [one for one in catalogue().behaviours if one.kind != OrderProcess.kind]
    return [*others, SagaBehaviour(process)]


@pytest.mark.parametrize(("absent", "status", "charges"), [("refused", CANCELLED, 0), ("ask again", READY_TO_SHIP, 1)])
def test_s119_a_command_that_is_lost_is_absent_and_has_no_effect_when_it_comes_late(
    absent: str, status: int, charges: int
) -> None:
    async def scenario() -> None:
        node = await LocalNode(_probed(absent)).start()
        await node.send(Restock(sku="HAT", quantity=10))
        await pause(node, "billing")
        await place(node)
        await node.sleep(1)
        do = await _lost(node)
        await node.sleep(1.5 * _TIMEOUT_S)
        assert statuses(await record_of(node))["bill"] == "BEING PROBED"
        await resume(node, "billing")
        await node.sleep(2 * _TIMEOUT_S)
        assert ((await order(node)).status, (await bill(node)).charges) == (status, charges)
        await node.store.commit([Transition(mail=(do,))])
        await node.sleep(_TIMEOUT_S)
        assert ((await bill(node)).charges, (await bill(node)).refunds) == (charges, 0)
        await node.stop()

    in_virtual_time(scenario)
