"""A saga that no message has started: its start was put off, or became a dead letter, and that is what is said."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from actors.catalogue import catalogue
from protos.sales_pb2 import OrderLine, PlaceOrder
from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.errors import FinalError
from runtime.saga.behaviour import SagaBehaviour
from runtime.store.memory import MemoryStore
from tests.unit.durable.local import LocalNode, in_virtual_time

SAGA = "order-process/ORD-1"


def run(store: MemoryStore, *arguments: str) -> Result:
    return CliRunner().invoke(admin, list(arguments), obj=Session(store=store))


@pytest.fixture
def unbegun(monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """What a node leaves whose build cannot begin the saga."""

    def cannot(*_: object, **__: object) -> None:
        raise FinalError("this build cannot begin it")

    async def scenario() -> MemoryStore:
        node = await LocalNode(catalogue().behaviours).start()
        order = PlaceOrder(order_id="ORD-1", line=OrderLine(sku="CUP", quantity=1), amount_cents=1)
        await node.send(order)
        await node.sleep(1.0)
        await node.stop()
        return node.store

    with monkeypatch.context() as patched:
        patched.setattr(SagaBehaviour, "decide", cannot)
        return in_virtual_time(scenario)


def test_it_says_that_the_saga_has_not_begun_and_what_it_waits_for(unbegun: MemoryStore) -> None:
    told = run(unbegun, "explain", SAGA).output
    assert "saga       has not begun" in told
    assert "OrderPlaced from sales/ORD-1 is a dead letter" in told and "dead-letters replay" in told
    assert "cannot be read" not in told and "none, before its pivot" not in told


@pytest.mark.parametrize(
    "command",
    [
        ("history", SAGA),
        ("retry-saga", SAGA, "--reason", "mended"),
        ("repair", "cancel", SAGA, "--reason", "mended"),
        ("repair", "cancel", SAGA, "--reason", "mended", "--preview"),
    ],
    ids=" ".join,
)
def test_what_needs_a_saga_that_has_begun_says_where_to_look(unbegun: MemoryStore, command: tuple[str, ...]) -> None:
    refused = run(unbegun, *command)
    assert refused.exit_code == 4
    assert f"the saga {SAGA} has not begun; `explain {SAGA}` tells what it waits for" in refused.output
