"""The history of a saga on a real file: its states are made again from its messages, and it becomes a test."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from actors.catalogue import catalogue
from actors.orchestration import OrderProcess
from protos.billing_pb2 import BillOrder
from protos.orders_pb2 import OrderProcessState
from protos.sales_pb2 import Flow, OrderLine, OrderPlaced, PlaceOrder
from protos.warehouse_pb2 import Restock, Restocked
from runtime.admin.commands import admin
from runtime.admin.session import Session
from runtime.saga.catalogue import Catalogue
from runtime.saga.saga import Saga
from runtime.testing import Cluster, ClusterLoop

_LINE = OrderLine(sku="CUP", quantity=2)


class Brief(OrderProcess, kind="order-process", history="brief"):
    """Keeps no more of its messages than their types."""


SLOWER = OrderProcess.with_steps(bill={"timeout": 77.0})


def slower_shop() -> Catalogue:
    return catalogue(SLOWER)


def nameless_shop() -> Catalogue:
    return catalogue(OrderProcess.with_steps(bill={"timeout": 77.0}))


def brief_shop() -> Catalogue:
    return catalogue(Brief)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.db"


def place(
    url: str, *, stock: int, process: type[Saga[OrderProcessState]] = OrderProcess, late_cancellations: int = 0
) -> None:
    async def order() -> None:
        async with Cluster(catalogue(process), nodes=1, store=url) as cluster:
            if stock:
                await cluster.send(Restock(sku="CUP", quantity=stock), Restocked)
            order = PlaceOrder(order_id="ORD-1", line=_LINE, amount_cents=500, flow=Flow.ORCHESTRATION)
            await cluster.send(order, OrderPlaced)
            await cluster.at_rest()
            for late in range(late_cancellations):  # Each is a turn of the saga, and changes nothing of it.
                await cluster.client().cancel("order-process", "ORD-1", f"too late {late}")
            await cluster.at_rest()

    with asyncio.Runner(loop_factory=ClusterLoop) as runner:
        runner.run(order())


def dearer(state: OrderProcessState) -> BillOrder:
    return BillOrder(order_id=state.order_id, line=state.line, amount_cents=state.amount_cents + 1)


def ask(url: str, *arguments: str, catalogue: str = "actors.catalogue:catalogue") -> Result:
    asked = ["--store", url, "history", "order-process/ORD-1", "--catalogue", catalogue, *arguments]
    return CliRunner().invoke(admin, asked, obj=Session())


def test_s87_each_message_is_told_with_the_states_around_it(url: str) -> None:
    place(url, stock=5)
    told = json.loads(ask(url, "--json").stdout)
    assert told["untold"] == ""
    first, billed, labelled, ready = told["entries"]
    assert first["message"]["order_id"] == "ORD-1"
    assert {"what": "task bill", "before": "waiting", "after": "asked"} in first["changed"]
    assert {"what": "task bill", "before": "asked", "after": "done"} in billed["changed"]
    assert [one["type"] for one in labelled["sent"]] == ["shop.MarkReadyToShip"]
    assert any("set, due after" in one for one in first["timers"])
    assert any("cancelled" in one for one in billed["timers"])
    assert {"what": "status", "before": "running", "after": "completed"} in ready["changed"]
    text = ask(url).stdout
    assert "order-process/ORD-1 is completed" in text
    assert "BillOrder to billing/ORD-1: handled" in text


def test_the_revision_that_is_shown_is_the_one_that_acts_expect(url: str) -> None:
    place(url, stock=5, late_cancellations=2)
    told = json.loads(ask(url, "--json").stdout)
    assert [one["revision"] for one in told["entries"]] == [1, 2, 3, 4, 4, 4]
    assert told["revision"] == 4
    assert "is completed, revision 4," in ask(url).stdout
    explained = ["--store", url, "explain", "order-process/ORD-1"]
    (account,) = json.loads(CliRunner().invoke(admin, [*explained, "--json"], obj=Session()).stdout)
    assert account["revision"] == account["saga"]["revision"] == 4
    assert "revision   4, " in CliRunner().invoke(admin, explained, obj=Session()).stdout
    assert ask(url, "--diff", "1", "5").exit_code == 4


def test_what_two_revisions_differ_in(url: str) -> None:
    place(url, stock=5)
    changed = json.loads(ask(url, "--diff", "1", "2", "--json").stdout)
    assert {"what": "task bill", "before": "asked", "after": "done"} in changed
    assert ask(url, "--diff", "1", "9").exit_code == 4
    assert ask(url, "--format", "mermaid").stdout.startswith("sequenceDiagram")


@pytest.mark.broken_by("exported-test-expects-nothing")
def test_s140_a_history_becomes_a_test_that_passes_on_the_same_definition_and_fails_at_the_first_difference(
    url: str,
) -> None:
    place(url, stock=1)  # back-ordered: it turns back
    written = ask(url, "--as-test")
    assert written.exit_code == 0, written.output
    space: dict[str, object] = {}
    exec(compile(written.stdout, "exported.py", "exec"), space)  # what a user keeps as a file and runs by pytest
    test = space["test_order_process_ord_1"]
    assert callable(test)
    test()
    changed = OrderProcess.with_steps(bill={"do": dearer})
    space["OrderProcess"] = changed
    with pytest.raises(AssertionError, match=r"sent .*501.*, not .*500"):
        test()


def test_the_test_of_a_variation_imports_the_variation(url: str) -> None:
    place(url, stock=5, process=SLOWER)
    written = ask(url, "--as-test", catalogue="tests.cluster.test_histories:slower_shop")
    assert "from tests.cluster.test_histories import SLOWER\n" in written.stdout, written.output
    assert "SagaTranscript(SLOWER" in written.stdout and "OrderProcess" not in written.stdout


def test_of_a_variation_that_no_name_stands_for_no_test_is_made_and_the_cure_is_named(url: str) -> None:
    place(url, stock=5, process=SLOWER)
    refused = ask(url, "--as-test", catalogue="tests.cluster.test_histories:nameless_shop")
    assert refused.exit_code == 4
    assert "no test can import the OrderProcess that was run" in refused.stderr
    assert "SLOWER = OrderProcess.with_steps(...), have the catalogue host that" in refused.stderr


def test_a_brief_history_tells_messages_and_says_why_it_tells_no_state(url: str) -> None:
    place(url, stock=5, process=Brief)
    brief = "tests.cluster.test_histories:brief_shop"
    told = json.loads(ask(url, "--json", catalogue=brief).stdout)
    assert "keeps a brief history" in told["untold"]
    assert [one["changed"] for one in told["entries"]] == [[], [], [], []]
    refused = ask(url, "--as-test", catalogue=brief)
    assert refused.exit_code == 4
    assert "keeps a brief history" in refused.stderr
