"""C, D. What the store promises: all of a turn or nothing of it, and each message once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from protos.billing_pb2 import BillOrder, BillState, OrderBilled
from runtime.adapters import system_ports
from runtime.store.open import open_store
from runtime.store.port import Store
from runtime.store.records import Verdict
from runtime.testing.cluster.clients import CommandFailed
from runtime.testing.conformance.samples import SHARD, id_of, mail_row, post, turn
from tests.scenarios.conftest import OpenSagas
from tests.scenarios.services import ClumsyBilling


@pytest.fixture
async def kept(store: str) -> AsyncIterator[Store]:
    opened = open_store(store, system_ports())
    await opened.open()
    yield opened
    await opened.close()


@pytest.mark.broken_by("failed-run-is-committed")
async def test_s31_a_turn_that_fails_for_good_leaves_the_old_state_and_no_timer(open_sagas: OpenSagas) -> None:
    cluster = await open_sagas(billing=ClumsyBilling)
    await cluster.send(BillOrder(order_id="ORD-1", amount_cents=5), OrderBilled)
    await cluster.at_rest()
    with pytest.raises(CommandFailed, match="nothing to charge"):
        await cluster.send(BillOrder(order_id="ORD-1"))
    await cluster.advance(60)
    bill = await cluster.state("billing", "ORD-1", BillState)
    assert (bill.charges, bill.refunds) == (1, 1)
    await cluster.send(BillOrder(order_id="ORD-1", amount_cents=5), OrderBilled)
    assert (await cluster.state("billing", "ORD-1", BillState)).charges == 2


@pytest.mark.broken_by("duplicate-post-is-a-new-one")
async def test_s40_a_message_that_is_posted_twice_waits_once(kept: Store) -> None:
    assert await kept.commit([post(mail_row(1))]) == [Verdict.COMMITTED]
    assert await kept.commit([post(mail_row(1))]) == [Verdict.DUPLICATE]
    assert await kept.waiting_for(("billing", "a"), SHARD, limit=9) == [mail_row(1)]


@pytest.mark.broken_by("no-dedup")
async def test_s41_of_a_handled_message_the_id_remains_and_refuses_its_copies(kept: Store) -> None:
    assert await kept.commit([post(mail_row(1)), turn(1)]) == [Verdict.COMMITTED] * 2
    assert await kept.mail_of_conversation(id_of(0)) == []
    assert [row.id for row in await kept.conversation(id_of(0))] == [id_of(1)]
    assert await kept.commit([post(mail_row(1))]) == [Verdict.DUPLICATE]
