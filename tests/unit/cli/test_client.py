"""`amends client`: what it shows of real nodes, and how it ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from actors.catalogue import catalogue
from protos.billing_pb2 import BillOrder
from runtime.adapters import system_ports
from runtime.cli.client import client
from runtime.config import Settings
from runtime.host import Node
from tests.tidy.source import ROOT

BILL = '{"order_id": "ORD-1", "amount_cents": 5}'
ID = "ff" + "0" * 30


def run(*arguments: str) -> Result:
    return CliRunner().invoke(client, arguments)


async def _run(node: Node, *arguments: str) -> Result:
    return await asyncio.to_thread(run, "--node", node.address, *arguments)


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of this project, whose catalogue the command takes."""
    monkeypatch.chdir(ROOT)
    return ROOT


@pytest.fixture
async def node(tmp_path: Path, folder: Path) -> AsyncIterator[Node]:
    store = f"sqlite:///{tmp_path}/cluster.db"
    one = Node(Settings(store=store, listen="127.0.0.1:0", name="a"), catalogue(), system_ports())
    await one.start()
    yield one
    await one.stop()


async def test_a_command_is_asked_read_and_shown_as_a_line_or_as_json(node: Node) -> None:
    asked = await _run(node, "ask", "BillOrder", BILL, "--id", ID)
    assert (asked.exit_code, asked.output[:26]) == (0, "shop.OrderBilled  order_id")
    again = await _run(node, "ask", "shop.BillOrder", BILL, "--id", ID, "--json")
    told = json.loads(again.output)
    assert (told["id"], told["fault"], told["type"], told["message"]) == (ID, "", "", {})
    read = await _run(node, "read", "billing/ORD-1")
    assert read.output.startswith("billing/ORD-1  1  shop.BillState  ")
    shown = json.loads((await _run(node, "read", "billing/ORD-1", "--json")).output)
    assert (shown["revision"], shown["type"]) == (1, "shop.BillState")


async def test_a_command_that_is_sent_shows_its_id(node: Node) -> None:
    sent = await _run(node, "send", "BillOrder", BILL, "--id", ID)
    assert (sent.exit_code, sent.output) == (0, f"{ID}\n")


async def test_a_saga_is_watched_to_its_end_and_then_not_cancelled_any_more(node: Node) -> None:
    order = '{"order_id": "ORD-1", "line": {"sku": "CUP", "quantity": 1}, "amount_cents": 5}'
    assert (await _run(node, "ask", "Restock", '{"sku": "CUP", "quantity": 1}')).exit_code == 0
    assert (await _run(node, "ask", "PlaceOrder", order)).exit_code == 0
    async with asyncio.timeout(20):
        watched = await _run(node, "watch", "order-process/ORD-1")
    assert watched.output.splitlines()[-1].startswith("order-process/ORD-1  ") and "  completed  " in watched.output
    cancelled = await _run(node, "cancel", "order-process/ORD-1", "--reason", "too late")
    assert cancelled.exit_code == 5 and "order-process/ORD-1 is not cancelled: " in cancelled.output


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("read", "billing/ORD-9"), 4, "there is no billing/ORD-9"),
        (("cancel", "order-process/ORD-9", "--reason", "x"), 4, "there is no saga order-process/ORD-9"),
        (("read", "billing"), 2, "'billing' is no address"),
        (("ask", "Nothing", "{}"), 2, "'Nothing' is no command of these contracts; there are shop.BillOrder"),
        (("ask", "BillOrder", "{"), 2, "the JSON is no shop.BillOrder, which has order_id, amount_cents, line"),
        (("ask", "BillOrder", '{"sku": 1}'), 2, "the JSON is no shop.BillOrder"),
        (("ask", "BillOrder", "{}"), 2, "needs a key in its field 'order_id'"),
        (("ask", "BillOrder", BILL, "--id", "xyz"), 2, "--id 'xyz' is no hexadecimal number"),
        (("send", "BillOrder", BILL, "--id", "0" * 32), 2, "send it under a new id"),
    ],
)
async def test_what_is_wrong_or_missing_has_an_exit_code_and_a_line(
    node: Node, arguments: tuple[str, ...], code: int, text: str
) -> None:
    refused = await _run(node, *arguments)
    assert (refused.exit_code, refused.output.count("\n")) == (code, 1), refused.output
    assert text in refused.output


def test_nobody_at_the_address_ends_with_three_and_the_way_to_ask_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.cli.calling.PATIENCE_S", 0.2)
    ended = run("--node", "127.0.0.1:1", "ask", "BillOrder", BILL, "--id", ID)
    assert ended.exit_code == 3 and f"to ask for the same again: --id {ID}" in ended.output


def test_an_address_that_is_none_is_bad_input(folder: Path) -> None:
    ended = run("read", "billing/ORD-1", "--node", "nowhere")
    assert (ended.exit_code, ended.output) == (2, "Error: 'nowhere' is no HOST:PORT, such as 127.0.0.1:7650\n")


def test_a_folder_without_a_project_is_told_how_to_name_contracts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = run("ask", "BillOrder", BILL)
    assert ended.exit_code == 2 and "or name the modules of messages with --contracts MODULE" in ended.output


@pytest.mark.parametrize("named", ["no_such_module", "json"])
def test_contracts_that_are_none_are_bad_input(folder: Path, named: str) -> None:
    ended = run("--contracts", named, "ask", "BillOrder", BILL)
    assert ended.exit_code == 2 and named in ended.output


async def test_a_command_without_a_node_in_time_is_ended_with_six(tmp_path: Path, folder: Path) -> None:
    store = f"sqlite:///{tmp_path}/cluster.db"
    sales = Node(
        Settings(services=("sales",), store=store, listen="127.0.0.1:0", name="a"), catalogue(), system_ports()
    )
    await sales.start()
    late = await _run(sales, "--contracts", "protos", "ask", "BillOrder", BILL, "--timeout", "0.3", "--id", ID)
    await sales.stop()
    assert late.exit_code == 6 and f"--id {ID}" in late.output and BillOrder.DESCRIPTOR.full_name in late.output


@pytest.mark.parametrize("name", sorted(client.commands))
def test_every_option_of_the_group_is_one_of_its_commands(name: str) -> None:
    assert {option.name for option in client.params} <= {option.name for option in client.commands[name].params}


async def test_a_command_joins_the_conversation_of_a_choreography(node: Node) -> None:
    void = ("ask", "CloseBill", '{"order_id": "ORD-1"}', "--process", "order-choreography", "--json")
    begun = json.loads((await _run(node, *void)).output)["conversation"]
    joined = json.loads((await _run(node, *void, "--conversation", begun)).output)
    assert joined["conversation"] == begun


async def test_a_conversation_that_is_another_s_is_not_joined(node: Node) -> None:
    begun = json.loads((await _run(node, "ask", "BillOrder", BILL, "--json")).output)["conversation"]
    join = ("--process", "order-choreography", "--conversation", begun)
    told = await _run(node, "ask", "CloseBill", '{"order_id": "ORD-1"}', *join)
    assert (told.exit_code, "is none of order-choreography: it began by shop.BillOrder" in told.output) == (5, True)


async def test_an_event_goes_to_the_actor_that_is_named_since_no_contract_names_one(node: Node) -> None:
    billed = ("OrderBilled", '{"order_id": "ORD-1"}')
    told = await _run(node, "ask", *billed, "--to", "billing/ORD-1")
    assert (told.exit_code, "billing has no handler for" in told.output) == (5, True), told.output
    told = await _run(node, "ask", "OrderBild", "{}", "--to", "billing/ORD-1")
    assert "'OrderBild' is no message of these contracts" in told.output
    assert (await _run(node, "ask", *billed)).exit_code == 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--process", "order-process"), "there is no choreography 'order-process'"),
        (("--conversation", "xyz"), "--conversation 'xyz' is no hexadecimal number of 32 digits"),
        (("--process", "order-choreography", "--conversation", "00"), "a conversation has 16 bytes, not 1"),
    ],
)
async def test_a_command_that_would_join_nothing_is_refused(
    node: Node, options: tuple[str, ...], complaint: str
) -> None:
    done = await _run(node, "ask", "BillOrder", BILL, *options)
    assert done.exit_code == 2 and complaint in done.output
