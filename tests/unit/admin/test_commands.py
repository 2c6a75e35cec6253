"""The operator's command line: listings, JSON, exit codes, odd keys."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from runtime.adapters import system_ports
from runtime.admin.commands import admin
from runtime.admin.session import Session, load_contracts
from runtime.errors import InvalidSettings
from runtime.operate.survey import WAITS
from runtime.protos.saga_pb2 import Exchange
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from runtime.store.open import open_store
from runtime.store.records import Busy, BusyHandler
from runtime.store.sqlite import SqliteStore
from runtime.store.sqlite.connection import log_bytes
from tests.unit.operate.rows import SAGA, actor, fill, history, id_of, join, mail, order, saga
from tests.unit.saga.records import task_in


def run(store: MemoryStore, *arguments: str) -> Result:
    return CliRunner().invoke(admin, list(arguments), obj=Session(store=store))


@pytest.fixture
def shop(store: MemoryStore) -> MemoryStore:
    """One order under way, its bill parked."""

    async def prepare() -> None:
        await join(store, "sales-1", kinds=("sales", "order-process"))
        asked = task_in(Phase.ASKED, "bill", address="billing/ORD-1", do=Exchange(attempts=1, asked_at_s=99.0))
        await fill(store, actor("sales", state=order()), saga(tasks=(asked,)), history(1, caused=(2,)))
        await fill(store, mail(2, attempts=12, parked="ValueError: no"))

    asyncio.run(prepare())
    return store


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("nodes",), "sales-1"),
        (("shards",), "order-process"),
        (("sagas",), "order-process/ORD-1"),
        (("sagas", "--status", "running"), "bill"),
        (("sagas", "--status", "stuck"), "no saga"),
        (("dead-letters",), id_of(2).hex()),
        (("explain", "ORD-1"), "the answer of billing/ORD-1 to its step 'bill'"),
        (("explain", "ORD-1", "--kind", "sales"), "status: PENDING"),
        (("conversation", "ORD-1"), "open: 0 waiting, 1 parked"),
        (("conversation", "ORD-1", "--format", "mermaid"), "sequenceDiagram"),
    ],
)
def test_each_command_shows_what_it_is_for(shop: MemoryStore, command: tuple[str, ...], expected: str) -> None:
    result = run(shop, *command)
    assert result.exit_code == 0, result.output
    assert expected in result.output


@pytest.mark.parametrize("command", [("nodes",), ("shards",), ("sagas",), ("dead-letters",)])
def test_each_listing_of_an_empty_store_says_so(store: MemoryStore, command: tuple[str, ...]) -> None:
    assert run(store, *command).output.startswith("no ")
    assert json.loads(run(store, *command, "--json").output) == []


def test_listings_as_json(shop: MemoryStore) -> None:
    (node,) = json.loads(run(shop, "nodes", "--json").output)
    assert (node["name"], node["shards"], node["kinds"]) == ("sales-1", 2, ["sales", "order-process"])
    assert json.loads(run(shop, "shards", "--json").output)[0]["owner"] == "sales-1"
    (entry,) = json.loads(run(shop, "sagas", "--json").output)
    assert (entry["key"], entry["status"], entry["step"]) == ("ORD-1", "running", "bill")
    (letter,) = json.loads(run(shop, "dead-letters", "--json").output)
    assert (letter["to"], letter["attempts"], letter["reason"]) == ("billing/ORD-1", 12, "ValueError: no")


@pytest.mark.parametrize(
    ("off_s", "shown", "warned"), [(0.0, "right", False), (1.5, "1.5 s ahead", False), (-7200.0, "2 h behind", True)]
)
def test_nodes_whose_clocks_are_off_are_named(shop: MemoryStore, off_s: float, shown: str, warned: bool) -> None:
    asyncio.run(shop.renew("sales-1", "abc", lease_s=60.0, clock_off_s=off_s))
    result = run(shop, "nodes")
    assert shown in result.stdout
    assert ("warning: the clock of sales-1's machine is" in result.stderr) == warned
    assert (result.stderr == "") != warned
    assert run(shop, "nodes", "--clock-skew-max-s", "1e6").stderr == ""
    [node] = json.loads(run(shop, "nodes", "--json").stdout)
    assert node["clock_off_s"] == off_s


def test_nodes_as_json_have_the_length_of_the_stores_log(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    command = ["--store", f"sqlite:///{path}", "nodes", "--json"]

    async def listed_while_open() -> tuple[Result, int]:
        store = SqliteStore(path, system_ports())
        await store.open()
        try:
            await join(store, "sales-1", kinds=("sales",))
            result = await asyncio.to_thread(CliRunner().invoke, admin, command)
            return result, log_bytes(path)
        finally:
            await store.close()

    result, length = asyncio.run(listed_while_open())
    [node] = json.loads(result.stdout)
    assert node["store_log_bytes"] == length > 0


@pytest.mark.parametrize("command", [("shards",), ("sagas",), ("dead-letters",), ("explain", "ORD-1")])
def test_json_may_be_asked_for_before_the_command_too(shop: MemoryStore, command: tuple[str, ...]) -> None:
    assert json.loads(run(shop, "--json", *command).output) == json.loads(run(shop, *command, "--json").output)


def leaves(group: click.Group, *above: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        found += leaves(command, *above, name) if isinstance(command, click.Group) else [(*above, name)]
    return found


@pytest.mark.parametrize("command", [*leaves(admin), ("dead-letters",)], ids=" ".join)
def test_every_command_takes_json(command: tuple[str, ...]) -> None:
    assert "--json" in CliRunner().invoke(admin, [*command, "--help"]).output


LETTER = id_of(2).hex()


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("dead-letters", "replay", LETTER), {"act": "replay", "id": LETTER, "to": "billing/ORD-1"}),
        (
            ("dead-letters", "discard", LETTER, "--reason", "no use", "--force"),
            {"act": "discard", "id": LETTER, "to": "billing/ORD-1"},
        ),
        (("retry-saga", "order-process/ORD-2", "--reason", "mended"), {"act": "retry", "saga": "order-process/ORD-2"}),
    ],
)
@pytest.mark.parametrize("before", [False, True])
def test_an_act_is_told_as_json_wherever_that_is_asked_for(
    shop: MemoryStore, command: tuple[str, ...], expected: dict[str, str], before: bool
) -> None:
    asyncio.run(fill(shop, saga("ORD-2", status=SAGA.STUCK, stuck_reason="undo of step bill")))
    done = run(shop, "--json", *command) if before else run(shop, *command, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == expected


@pytest.mark.parametrize("before", [False, True])
def test_many_letters_are_told_as_json_wherever_that_is_asked_for(shop: MemoryStore, before: bool) -> None:
    command = ("dead-letters", "replay-many", "--all")
    done = run(shop, "--json", *command) if before else run(shop, *command, "--json")
    assert json.loads(done.output)["act"] == "replay"


def test_a_copy_is_told_as_json(tmp_path: Path) -> None:
    url, copy = f"sqlite:///{tmp_path}/amends.db", tmp_path / "copy.db"
    asyncio.run(made(url))
    done = CliRunner().invoke(admin, ["--store", url, "--json", "backup", str(copy)])
    assert json.loads(done.output) == {"act": "backup", "to": str(copy), "bytes": copy.stat().st_size}
    done = CliRunner().invoke(admin, ["--store", url, "restore", str(copy), "--json"])
    assert json.loads(done.output) == {"act": "restore", "from": str(copy), "kept": f"{tmp_path}/amends.db.replaced"}


async def made(url: str) -> None:
    store = open_store(url, system_ports())
    await store.open()
    await store.close()


def test_json_of_a_conversation_may_be_asked_for_before_it(shop: MemoryStore) -> None:
    asked = run(shop, "conversation", "ORD-1", "--format", "json").output
    assert json.loads(run(shop, "--json", "conversation", "ORD-1").output) == json.loads(asked)
    assert json.loads(run(shop, "conversation", "ORD-1", "--json").output) == json.loads(asked)


def test_a_conversation_has_one_form() -> None:
    refused = CliRunner().invoke(admin, ["conversation", "ORD-1", "--json", "--format", "mermaid"])
    assert refused.exit_code == 2 and "--format mermaid" in refused.output


def test_sagas_that_need_a_person_are_an_exit_code_if_that_is_asked_for(store: MemoryStore) -> None:
    asyncio.run(join(store, "orchestration-1", kinds=("order-process",)))
    asyncio.run(fill(store, saga("ORD-1"), saga("ORD-2", status=SAGA.STUCK)))
    assert run(store, "sagas").exit_code == 0
    assert run(store, "sagas", "--exit-code").exit_code == 8
    assert run(store, "sagas", "--exit-code", "--status", "running").exit_code == 0


def test_who_needs_a_person_beyond_the_limit_needs_one_too(store: MemoryStore) -> None:
    asyncio.run(join(store, "orchestration-1", kinds=("order-process",)))
    running = [saga(f"ORD-{number}") for number in range(3)]
    asyncio.run(fill(store, *running, saga("ORD-9", status=SAGA.STUCK, progress_at_s=200.0)))
    done = run(store, "sagas", "--exit-code", "--limit", "2")
    assert "ORD-9" not in done.stdout and done.exit_code == 8
    assert "more fit, beyond --limit" in done.stderr


def test_a_page_of_sagas_names_the_place_where_the_next_one_begins(store: MemoryStore) -> None:
    asyncio.run(fill(store, *(saga(f"it's {number}", progress_at_s=float(number)) for number in range(1, 6))))
    keys, more = list[str](), list[str]()
    while True:
        done = run(store, "sagas", "--json", "--limit", "2", *more)
        keys += [one["key"] for one in json.loads(done.stdout)]
        if not done.stderr:
            break
        more = shlex.split(done.stderr.rpartition("the next page: ")[2])
    assert keys == [f"it's {number}" for number in range(1, 6)]
    assert json.loads(run(store, "sagas", "--json", "--after", "9.0/order-process/it's 9").stdout) == []


def test_sagas_are_listed_in_the_order_of_their_keys_if_that_is_asked_for(store: MemoryStore) -> None:
    asyncio.run(fill(store, saga("A", progress_at_s=2.0), saga("B", progress_at_s=1.0)))
    assert [one["key"] for one in json.loads(run(store, "sagas", "--json").stdout)] == ["B", "A"]
    assert [one["key"] for one in json.loads(run(store, "sagas", "--json", "--order", "key").stdout)] == ["A", "B"]


def test_sagas_are_counted_by_kind_and_status(store: MemoryStore) -> None:
    asyncio.run(fill(store, saga("A"), saga("B"), saga("C", status=SAGA.STUCK)))
    assert json.loads(run(store, "sagas", "--count", "--json").stdout) == [
        {"kind": "order-process", "status": "running", "count": 2},
        {"kind": "order-process", "status": "stuck", "count": 1},
    ]
    shown = run(store, "sagas", "--count", "--status", "running").stdout
    assert "running" in shown and "stuck" not in shown
    refused = run(store, "sagas", "--count", "--key", "A")
    assert refused.exit_code == 2 and "leave the others out" in refused.output
    assert run(store, "sagas", "--count", "--status", WAITS).exit_code == 2


def test_a_listing_of_dead_letters_says_that_it_is_not_all(store: MemoryStore) -> None:
    asyncio.run(fill(store, *(mail(number, parked="no") for number in (1, 2, 3))))
    assert "there are more" in run(store, "dead-letters", "--limit", "2").stderr
    done = run(store, "dead-letters", "--limit", "3", "--json")
    assert not done.stderr and len(json.loads(done.stdout)) == 3


def test_an_account_as_json(shop: MemoryStore) -> None:
    process, sales = json.loads(run(shop, "explain", "ORD-1", "--json").output)[-2:]
    halted = {"revision": 0, "suspended": False, "held": 0}
    assert process["saga"] == {"definition": "order-process", "status": "running", "reason": "", **halted}
    assert process["steps"][0]["status"] == "asked"
    assert sales["state"] == {"order_id": "ORD-1", "status": "PENDING"}


def test_a_conversation_as_one_object_of_json(shop: MemoryStore) -> None:
    shown = json.loads(run(shop, "conversation", "ORD-1", "--format", "json").output)
    assert shown["key"] == "ORD-1"
    (one,) = shown["conversations"]
    assert [(message["type"], message["status"]) for message in one["messages"]] == [
        ("shop.PlaceOrder", "handled"),
        ("shop.BillOrder", "parked"),
    ]


def test_replay_and_discard_say_what_they_did(shop: MemoryStore) -> None:
    replayed = run(shop, "dead-letters", "replay", id_of(2).hex(), "--who", "ann")
    assert replayed.output == f"{id_of(2).hex()} waits for billing/ORD-1 again\n"
    assert run(shop, "dead-letters").output == "no dead letter\n"
    gone = run(shop, "dead-letters", "discard", id_of(2).hex(), "--reason", "typo")
    assert gone.exit_code == 4


def test_a_replay_that_comes_too_late_is_refused_with_the_cure_and_can_be_forced(store: MemoryStore) -> None:
    refused = task_in(Phase.REFUSED, "bill", do=Exchange(command_id=id_of(1), faulted_ids=[id_of(2)]))
    letter = mail(2, attempts=12, parked="ValueError: no", reply_to="order-process/ORD-1")
    asyncio.run(fill(store, saga(status=SAGA.COMPENSATED, tasks=(refused,)), letter))
    result = run(store, "dead-letters", "replay", id_of(2).hex())
    assert result.exit_code == 5
    assert "order-process/ORD-1 no longer waits for shop.BillOrder: its step bill is refused" in result.output
    assert id_of(2).hex() in run(store, "dead-letters").output
    forced = run(store, "dead-letters", "replay", id_of(2).hex(), "--force")
    assert (forced.exit_code, run(store, "dead-letters").output) == (0, "no dead letter\n")


def test_discard_needs_a_reason(shop: MemoryStore) -> None:
    assert run(shop, "dead-letters", "discard", id_of(2).hex()).exit_code == 2
    result = run(shop, "dead-letters", "discard", id_of(2).hex(), "--reason", "typo", "--who", "ann")
    assert result.exit_code == 0
    assert "will never handle it" in result.output


@pytest.mark.parametrize("command", ["explain", "conversation"])
def test_an_unknown_key_is_not_found(shop: MemoryStore, command: str) -> None:
    result = run(shop, command, "ORD-9")
    assert result.exit_code == 4
    assert "no actor has the key 'ORD-9'" in result.output
    assert "of kind 'x'" in run(shop, command, "ORD-1", "--kind", "x").output


@pytest.mark.parametrize("key", ["注文-✓", "a/b/c", "x" * 256, "[red]not markup[/red]", "\x1b[31mred\x07"])
def test_odd_keys_are_shown_as_they_are_and_drive_no_terminal(store: MemoryStore, key: str) -> None:
    asyncio.run(fill(store, actor("sales", key, state=order(), conversation=b"K" * 16)))
    result = run(store, "explain", key)
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    assert "\x07" not in result.output
    assert repr(key)[1:-1][:30] in result.output
    assert run(store, "conversation", key).exit_code == 0


def test_a_state_of_no_known_type_is_told_by_its_size(store: MemoryStore) -> None:
    asyncio.run(fill(store, actor("x", state_type="other.Thing", state=b"12345")))
    assert "5 bytes: no message type 'other.Thing' is known here" in run(store, "explain", "ORD-1").output


def test_a_stuck_saga_stands_out(store: MemoryStore) -> None:
    async def prepare() -> None:
        await join(store, "o-1", kinds=("order-process",))
        await fill(store, saga(status=SAGA.STUCK, stuck_reason="bill: cannot be undone"))

    asyncio.run(prepare())
    assert "bill: cannot be undone" in run(store, "sagas", "--status", "stuck").output


# --- stores that can't be read ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "code", "expected"),
    [
        ("sqlite:///{folder}/none.db", 1, "there is no store"),
        ("sqlite:///{folder}/text.db", 1, "text.db"),
        ("memory:", 2, "can't be read from outside"),
        ("nonsense", 2, "is no store; use sqlite:///"),
        ("postgresql://127.0.0.1:1/y?reconnect_s=0.1", 1, "cannot be reached; check that it runs"),
    ],
)
def test_a_store_that_cannot_be_read_is_a_clear_error(tmp_path: Path, url: str, code: int, expected: str) -> None:
    (tmp_path / "text.db").write_text("this is no database, however long it may be " * 50)
    result = CliRunner().invoke(admin, ["--store", url.format(folder=tmp_path), "nodes"])
    assert result.exit_code == code
    assert expected in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "none.db").exists()


def test_contracts_are_named_modules_or_packages_of_them() -> None:
    assert "shop.OrderState" in {contract.name for contract in load_contracts(("protos",))}
    assert "shop.OrderState" in {contract.name for contract in load_contracts(("protos.sales_pb2",))}


@pytest.mark.parametrize(
    "name", ["no_such_module", "json", "runtime.errors", "", ".x", "..x", "tests.unit.admin.broken"]
)
def test_contracts_that_are_none_are_a_clear_error(name: str) -> None:
    with pytest.raises(InvalidSettings, match=f"--contracts '?{name}"):
        load_contracts((name,))


def test_nodes_whose_event_loop_is_blocked_and_handlers_that_wait_for_long_are_named(shop: MemoryStore) -> None:
    at_s = asyncio.run(shop.now_s())
    handlers = tuple(
        BusyHandler("Billing.bill", "billing", key, b"", "shop.BillOrder", "", at_s - ran_s, timeout_s)
        for key, ran_s, timeout_s in (("ORD-1", 720.0, 0.0), ("ORD-2", 1800.0, 3600.0), ("ORD-3", 1200.0, 3600.0))
    )
    for node in ("sales-1", "evicted-1"):
        shop.tell_busy(Busy(node, "abc", at_s, at_s + 60.0, handlers))
    shop.tell_busy(Busy("gone-1", "abc", at_s - 99.0, at_s - 90.0, handlers))
    result = run(shop, "nodes")
    for node in ("sales-1", "evicted-1"):
        name = "Billing.bill (BillOrder) of billing/"
        assert f"warning: the event loop of {node} has been blocked for 12 min by {name}ORD-1\n" in result.stderr
        assert f"running on {node} for more than 10 s: 2, longest {name}ORD-2, for 30 min\n" in result.stderr
    assert "gone-1" not in result.output
    (listed,) = json.loads(run(shop, "nodes", "--json").stdout)
    assert [one["blocks_loop"] for one in listed["busy"]] == [True, False, False]


def test_a_state_of_a_type_that_is_not_known_names_the_option_for_it(shop: MemoryStore) -> None:
    shown = run(shop, "--contracts", "runtime.protos.contract_pb2", "explain", "ORD-1", "--kind", "sales")
    assert "no message type 'shop.OrderState' is known here" in shown.output and "--contracts" in shown.output
