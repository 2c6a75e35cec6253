"""What nobody should type, and what only a newer version has written: a word for each, and no traceback."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from actors.client.screen import order_text, plain
from protos.orders_pb2 import Order
from protos.sales_pb2 import OrderLine, OrderState
from runtime.admin.commands import admin
from runtime.admin.session import Session, load_contracts
from runtime.errors import InvalidSettings
from runtime.protos.saga_pb2 import TaskRecord
from runtime.store.memory import MemoryStore
from tests.unit.operate.rows import SAGA, actor, fill, join, mail, order, row_of, saga

UNKNOWN = 99


def run(store: MemoryStore, *arguments: str) -> Result:
    result = CliRunner().invoke(admin, list(arguments), obj=Session(store=store))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.mark.parametrize(
    "arguments", [("sagas", "--idle", "nan"), ("processes", "--age", "nan"), ("nodes", "--clock-skew-max-s", "NaN")]
)
def test_seconds_that_are_no_number_are_refused(store: MemoryStore, arguments: tuple[str, ...]) -> None:
    result = run(store, *arguments)
    assert (result.exit_code, "is no number of seconds" in result.output) == (2, True)


def test_a_status_that_no_saga_has_is_refused_with_those_that_there_are(store: MemoryStore) -> None:
    result = run(store, "sagas", "--status", "unfinished")
    assert result.exit_code == 2 and "'stuck'" in result.output and "'waits for its version'" in result.output


@pytest.mark.parametrize("place", ["ORD-1", "nan", "1.0/order-process", "yesterday/order-process/ORD-1"])
def test_a_place_that_no_listing_has_named_is_bad_input(store: MemoryStore, place: str) -> None:
    result = run(store, "sagas", "--after", place)
    assert result.exit_code == 2 and "copy it from the end of the page before" in result.output


@pytest.mark.parametrize("act", [("replay",), ("discard", "--reason", "x")])
@pytest.mark.parametrize("id", ["", "zz", "0"])
def test_an_id_that_names_no_letter_is_bad_input(store: MemoryStore, act: tuple[str, ...], id: str) -> None:
    asyncio.run(fill(store, mail(2, parked="x"), mail(3, parked="x")))
    assert run(store, "dead-letters", *act, "--", id).exit_code == 2


@pytest.mark.parametrize("address", ["", "nothing", "/b"])
def test_an_address_that_is_none_is_bad_input(store: MemoryStore, address: str) -> None:
    assert run(store, "retry-saga", "--reason", "x", "--", address).exit_code == 2


def test_a_kind_that_nobody_knows_is_told_from_one_without_sagas(store: MemoryStore) -> None:
    asyncio.run(join(store, "one", kinds=("order-process", "billing")))
    assert run(store, "sagas", "--kind", "order-process", "--exit-code").exit_code == 0
    done = run(store, "sagas", "--kind", "order-proces", "--exit-code", "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (4, [])
    assert "never heard of the kind 'order-proces'; there are billing, order-process" in done.stderr


def test_a_status_that_only_a_newer_version_has_is_shown_by_its_number(store: MemoryStore) -> None:
    step = TaskRecord.FromString(
        TaskRecord(path="bill", address="billing/ORD-1").SerializeToString() + _enum(TaskRecord, "status")
    )
    newer = saga(tasks=(step,))
    asyncio.run(fill(store, row_of(SAGA.FromString(newer.state + _enum(SAGA, "status")))))
    asyncio.run(join(store, "one", kinds=("order-process",)))
    listed = json.loads(run(store, "sagas", "--json").stdout)
    assert listed[0]["status"] == f"status {UNKNOWN}"
    assert f"status {UNKNOWN}" in run(store, "explain", "ORD-1").stdout
    explained = json.loads(run(store, "explain", "ORD-1", "--json").stdout)
    assert explained[0]["steps"][0]["status"] == f"status {UNKNOWN}"
    assert run(store, "retry-saga", "order-process/ORD-1", "--reason", "x").exit_code == 5


def _enum(message: type[TaskRecord] | type[SAGA], field: str) -> bytes:
    return bytes([message.DESCRIPTOR.fields_by_name[field].number << 3, UNKNOWN])


def test_the_client_shows_a_status_of_a_newer_node_by_its_number() -> None:
    number = Order.DESCRIPTOR.fields_by_name["status"].number
    order = Order.FromString(
        Order(order_id="A", line=OrderLine(sku="B")).SerializeToString() + bytes([number << 3, 99])
    )
    assert "99" in order_text(order)
    assert plain(order)["status"] == 99


def test_an_instant_that_no_calendar_has_is_shown(store: MemoryStore) -> None:
    row = replace(actor("sales"), updated_at_s=1e18)
    asyncio.run(fill(store, row, replace(mail(2), sent_at_s=-1e18), replace(mail(3, parked="x"), parked_at_s=1e18)))
    for form in ("text", "json", "mermaid"):
        assert run(store, "conversation", "ORD-1", "--format", form).exit_code == 0
    for command in (("explain", "ORD-1"), ("explain", "ORD-1", "--json"), ("dead-letters",)):
        assert run(store, *command).exit_code == 0


def test_a_status_that_is_given_twice_means_both(store: MemoryStore) -> None:
    asyncio.run(fill(store, saga("A", status=SAGA.STUCK), saga("B", status=SAGA.COMPLETED), saga("C")))
    asyncio.run(join(store, "one", kinds=("order-process",)))
    listed = run(store, "sagas", "--json", "--status", "stuck", "--status", "completed").stdout
    assert {one["key"] for one in json.loads(listed)} == {"A", "B"}
    assert {one["key"] for one in json.loads(run(store, "sagas", "--json", "--age", "0").stdout)} == {"A", "B", "C"}


def test_a_state_of_megabytes_is_cut_for_people_and_whole_in_json(store: MemoryStore) -> None:
    state = OrderState(order_id="ORD-1", reason="ü" * 3_000_000).SerializeToString()
    asyncio.run(fill(store, actor("sales", state=state), mail(2, parked="x" * 100_000)))
    shown = run(store, "explain", "ORD-1", "--kind", "sales").stdout
    assert len(shown) < 20_000 and "characters more, which --json shows" in shown
    assert len(json.loads(run(store, "explain", "ORD-1", "--json").stdout)[1]["state"]["reason"]) == 3_000_000
    assert len(run(store, "dead-letters").stdout) < 200_000
    assert len(run(store, "conversation", "ORD-1").stdout) < 200_000


@pytest.mark.parametrize("act", ["replay-many", "discard-many"])
@pytest.mark.parametrize("yes", [(), ("--yes",)])
def test_a_bulk_act_on_a_kind_that_nobody_knows_is_no_success(
    store: MemoryStore, act: str, yes: tuple[str, ...]
) -> None:
    asyncio.run(join(store, "one", kinds=("billing",)))
    command = ("dead-letters", act, *yes, "--reason", "x")
    assert run(store, *command, "--kind", "billing").exit_code == 0
    done = run(store, *command, "--kind", "biling")
    assert (done.exit_code, "never heard of the kind 'biling'; there are billing" in done.stderr) == (4, True)


def test_a_saga_whose_record_cannot_be_read_is_said_to_wait_for_a_person(store: MemoryStore) -> None:
    asyncio.run(fill(store, replace(saga(), state=b"\xff")))
    asyncio.run(join(store, "one", kinds=("order-process",)))
    (explained,) = json.loads(run(store, "explain", "ORD-1", "--json").stdout)
    assert explained["waits_for"][0].startswith("an operator: its record cannot be read")
    assert "an operator: its record cannot be read" in run(store, "explain", "ORD-1").stdout


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./protos", "such as protos, from"),
        ("shop/protos/", "such as shop.protos, from"),
        ("protos/sales_pb2.py", "such as protos.sales_pb2, from"),
        ("protos/sales.proto", "generate Python from it (amends protos FOLDER)"),
    ],
)
def test_a_path_in_place_of_a_module_is_told_what_to_write(name: str, said: str) -> None:
    with pytest.raises(InvalidSettings, match="--contracts") as refused:
        load_contracts((name,))
    assert said in str(refused.value)


@pytest.mark.parametrize("command", ["explain", "conversation"])
def test_what_a_listing_prints_is_what_the_commands_take(store: MemoryStore, command: str) -> None:
    asyncio.run(fill(store, actor("sales", state=order()), actor("billing"), actor("shelf", "sales/ORD-1")))
    shown = run(store, command, "billing/ORD-1", "--json")
    assert shown.exit_code == 0, shown.output
    told = json.loads(run(store, "explain", "sales/ORD-1", "--json").output)
    assert [one["address"] for one in told] == ["shelf/sales/ORD-1", "sales/ORD-1"], "a key may have a slash in it"
    only = json.loads(run(store, "explain", "sales/ORD-1", "--kind", "shelf", "--json").output)
    assert [one["address"] for one in only] == ["shelf/sales/ORD-1"]
    assert run(store, command, "billing/ORD-9").exit_code == 4
