"""One key across kinds: what the store has, and what it waits for, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from protos import sales_pb2
from runtime.admin.session import load_contracts
from runtime.contracts import Contracts
from runtime.envelope import shard_of
from runtime.operate.account import Account
from runtime.operate.lookup import accounts, conversations_of_key
from runtime.operate.objects import account_object
from runtime.operate.spans import span
from runtime.protos import durable_pb2, saga_pb2
from runtime.saga.view import Phase
from runtime.store.memory import MemoryStore
from runtime.store.records import Busy, BusyHandler
from tests.unit.operate.rows import SAGA, TALK, actor, fill, id_of, join, mail, order, saga
from tests.unit.saga.records import task_in

CONTRACTS = load_contracts(("protos",))


async def account_of(store: MemoryStore, kind: str, *, contracts: Contracts = CONTRACTS) -> Account:
    (found,) = await accounts(store, contracts, "ORD-1", kind=kind)
    return found


async def test_every_kind_with_the_key_is_told(store: MemoryStore) -> None:
    await fill(store, actor("sales", state=order()), actor("billing", state_type="shop.BillState"), saga())
    found = await accounts(store, CONTRACTS, "ORD-1")
    assert [account.address for account in found] == ["billing/ORD-1", "order-process/ORD-1", "sales/ORD-1"]
    assert await accounts(store, CONTRACTS, "ORD-2") == []


async def test_a_state_is_decoded_through_the_contracts(store: MemoryStore) -> None:
    await fill(store, actor("sales", state=order(sales_pb2.READY_TO_SHIP)))
    account = await account_of(store, "sales")
    assert account.state == sales_pb2.OrderState(order_id="ORD-1", status=sales_pb2.READY_TO_SHIP)


async def test_a_state_of_an_unknown_type_is_no_failure(store: MemoryStore) -> None:
    await fill(store, actor("sales", state_type="other.Thing", state=b"12345"))
    account = await account_of(store, "sales", contracts=Contracts([]))
    assert account.state is None
    assert "other.Thing" in account.unreadable


async def test_a_state_that_cannot_be_decoded_is_no_failure(store: MemoryStore) -> None:
    await fill(store, actor("sales", state=b"\xff\xff\xff"))
    assert "are no shop.OrderState" in (await account_of(store, "sales")).unreadable


async def test_a_damaged_saga_record_is_no_failure(store: MemoryStore) -> None:
    await fill(store, actor("order-process", state_type="amends.SagaRecord", state=b"\xff\xff\xff"))
    account = await account_of(store, "order-process")
    assert (account.saga, account.steps) == (None, ())
    assert account.unreadable


async def test_who_waits_for_nothing_is_told_what_others_have_yet_to_do(store: MemoryStore) -> None:
    await fill(store, replace(actor("sales"), conversation=TALK), mail(2, parked="no"), mail(3))
    nothing, *others = (await account_of(store, "sales")).waits_for
    assert nothing.startswith("nothing: no mail waits for it")
    assert sorted(others) == [
        "others, in its conversation: BillOrder for billing/ORD-1 is parked",
        "others, in its conversation: BillOrder for billing/ORD-1 is waiting",
    ]


async def test_of_many_that_others_have_to_do_some_are_told(store: MemoryStore) -> None:
    await fill(store, replace(actor("sales"), conversation=TALK), *(mail(number) for number in range(2, 10)))
    assert (await account_of(store, "sales")).waits_for[-1] == "and 3 more"


async def test_an_actor_at_rest_waits_for_nothing(store: MemoryStore) -> None:
    await fill(store, actor("sales"))
    assert (await account_of(store, "sales")).waits_for == ("nothing: no mail waits for it and no timer is set",)


async def test_mail_that_waits_is_told_with_the_owner_that_is_missing(store: MemoryStore) -> None:
    await fill(store, actor("billing"), mail(2))
    turn, node = (await account_of(store, "billing")).waits_for
    assert turn.startswith("its turn to handle BillOrder from sales/ORD-1, sent ")
    assert node == "a node: none that lives hosts billing, and none has told of that kind yet; launch one that does"


async def test_mail_of_a_kind_that_no_node_knows_is_told(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales",))
    await fill(store, actor("sales"), mail(2, kind="biling"), replace(mail(3, kind="audit"), shard=40))
    found = {account.kind: account for account in await accounts(store, CONTRACTS, "ORD-1")}
    assert list(found) == ["audit", "biling", "sales"]
    turn, node = found["biling"].waits_for
    assert turn.startswith("its turn to handle BillOrder from sales/ORD-1")
    assert node == "a node: none that lives hosts biling, and none has told of that kind yet; launch one that does"
    assert (found["audit"].shard, len(found["audit"].mail)) == (40, 1), "however many shards it has"
    assert await conversations_of_key(store, "ORD-1", kind="biling") == [TALK]


async def test_mail_of_a_kind_that_no_node_hosts_any_more_is_told(store: MemoryStore) -> None:
    await join(store, "sales-1", kinds=("sales",))
    await store.assign("billing", 3, owner="", expected_epoch=0)
    await fill(store, mail(2))
    assert (await account_of(store, "billing")).waits_for[-1] == (
        "a node: none that lives hosts billing; launch one that does"
    )


async def test_a_shard_that_nobody_has_taken_yet_is_told(store: MemoryStore) -> None:
    await join(store, "billing-1", kinds=("billing",))
    await fill(store, replace(mail(2), shard=4))
    assert (await account_of(store, "billing")).waits_for[-1] == (
        "a node: nobody owns shard 4 of billing, which billing-1 has yet to take"
    )


async def test_an_owner_without_a_lease_is_told(store: MemoryStore) -> None:
    await join(store, "billing-1", kinds=("billing",), lease_s=-1.0)
    await fill(store, actor("billing"), mail(2))
    line = (await account_of(store, "billing")).waits_for[-1]
    assert line.startswith(
        "a node: billing-1, which owns shard 3 of billing, has no lease any more; if it still runs, "
    )
    assert "a handler may block it" in line and "handler blocks loop" in line


async def test_an_owner_that_lives_is_not_waited_for(store: MemoryStore) -> None:
    await join(store, "billing-1", kinds=("billing",))
    await fill(store, actor("billing"), replace(mail(2), sent_at_s=await store.now_s()))
    account = await account_of(store, "billing")
    assert (account.owner, account.owner_alive, len(account.waits_for)) == ("billing-1", True, 1)


async def test_mail_that_waits_long_at_a_node_that_lives_points_to_what_names_the_handler(store: MemoryStore) -> None:
    await join(store, "billing-1", kinds=("billing",))
    sent_s = await store.now_s() - 600.0
    await fill(store, actor("billing"), replace(mail(2), sent_at_s=sent_s))
    turn, handler = (await account_of(store, "billing")).waits_for
    assert turn == "its turn to handle BillOrder from sales/ORD-1, sent 10 min ago"
    assert handler.startswith("a handler, perhaps: billing-1 lives, and its mail has been due for 10 min")
    assert "'handler blocks loop'" in handler and "HandlerTimedOut" in handler


async def test_mail_put_off_or_parked_points_to_no_handler(store: MemoryStore) -> None:
    await join(store, "billing-1", kinds=("billing",))
    later_s = await store.now_s() + 100.0
    await fill(store, actor("billing"), mail(2, attempts=1, due_at_s=later_s), mail(3, parked="no"))
    assert not any(
        "a handler" in line or "its handler" in line for line in (await account_of(store, "billing")).waits_for
    )


async def test_mail_of_an_actor_without_a_row_is_found(store: MemoryStore) -> None:
    await join(store, "billing-1", kinds=("billing",))
    for shard in range(16):  # the kind has sixteen, and the key falls where it falls
        await store.assign("billing", shard, owner="billing-1", expected_epoch=int(shard == 3))
    await fill(store, replace(mail(2), shard=shard_of("ORD-1", 16)))
    account = await account_of(store, "billing")
    assert account.row is None
    assert [message.short_type for message in account.mail] == ["BillOrder"]
    assert await conversations_of_key(store, "ORD-1") == [TALK]


async def test_a_dead_letter_after_one_attempt_has_one(store: MemoryStore) -> None:
    await fill(store, mail(2, attempts=1, parked="3 nodes have ended"))
    assert "is a dead letter after 1 attempt: 3 nodes" in (await account_of(store, "billing")).waits_for[0]


async def test_a_retry_and_a_dead_letter_are_told(store: MemoryStore) -> None:
    await join(store, "billing-1", kinds=("billing",))
    later_s = await store.now_s() + 20.2
    await fill(store, mail(2, attempts=3, due_at_s=later_s), mail(3, attempts=12, parked="ValueError: no"))
    await fill(store, actor("billing"))
    retry, dead, cure = (await account_of(store, "billing")).waits_for
    why = "'handler failed' in the log of billing-1 says why"
    assert retry == f"the time of BillOrder from sales/ORD-1, due in 20 s, after 3 failed attempts; {why}"
    assert dead == "an operator: BillOrder from sales/ORD-1 is a dead letter after 12 attempts: ValueError: no"
    assert cure.endswith(f"dead-letters replay {id_of(3).hex()}")


async def test_timers_are_told_earliest_first(store: MemoryStore) -> None:
    now_s = await store.now_s()
    timers = durable_pb2.Timers(
        timers=[
            durable_pb2.Timer(name="later", due_at_s=now_s + 300.5, set_by=id_of(1)),
            durable_pb2.Timer(name="overdue", due_at_s=now_s - 60, set_by=id_of(1)),
        ]
    )
    await join(store, "sales-1", kinds=("sales",))
    await fill(store, actor("sales", timers=timers))
    assert (await account_of(store, "sales")).waits_for == (
        "its timer 'overdue' (timer of a service), overdue by 60 s",
        "its timer 'later' (timer of a service), due in 5 min",
    )


def task(name: str, phase: Phase) -> saga_pb2.TaskRecord:
    do, undo = saga_pb2.Exchange(attempts=1, asked_at_s=1.0), saga_pb2.Exchange(attempts=2, asked_at_s=1.0)
    return task_in(phase, name, address="billing/ORD-1", do=do, undo=undo)


async def test_a_saga_tells_its_steps_and_what_is_open(store: MemoryStore) -> None:
    await fill(store, saga(tasks=(task("bill", Phase.DONE), task("ship", Phase.ASKED), task("close", Phase.WAITING))))
    account = await account_of(store, "order-process")
    assert [(one.name, one.status) for one in account.steps] == [
        ("bill", "done"),
        ("ship", "asked"),
        ("close", "waiting"),
    ]
    (waits,) = account.waits_for
    assert waits.startswith("the answer of billing/ORD-1 to its step 'ship', asked ")
    assert waits.endswith("(attempt 1)")


async def test_s98_a_saga_tells_which_event_it_waits_for_and_how_long_yet(store: MemoryStore) -> None:
    wait = task("paid", Phase.ASKED)
    wait.address, wait.awaits = "order-process-keys/P-17", "shop.PaymentReceived"
    wait.until_s = await store.now_s() + 3 * 86_400
    await fill(store, saga(tasks=(wait,)))
    (waits,) = (await account_of(store, "order-process")).waits_for
    assert waits == (
        "PaymentReceived with key 'P-17', which is looked after by order-process-keys/P-17, for which step 'paid' "
        "waits for another 3 d"
    )


async def test_a_saga_tells_its_owed_undos(store: MemoryStore) -> None:
    tasks = (task("bill", Phase.OWED), task("ship", Phase.UNDOING))
    await fill(store, saga(status=SAGA.COMPENSATING, tasks=tasks))
    owed, undoing = (await account_of(store, "order-process")).waits_for
    assert owed == "its turn to undo 'bill' at billing/ORD-1: owed, and not under way"
    assert undoing.startswith("billing/ORD-1 to confirm the undo of 'ship', sent ")


async def test_a_step_and_an_undo_that_take_their_time_tell_when_they_are_asked_again(store: MemoryStore) -> None:
    slow = task("pack", Phase.UNDOING)
    slow.undo.status = saga_pb2.Exchange.WORKING
    due_at_s = await store.now_s() + 40.5
    timers = durable_pb2.Timers(timers=[durable_pb2.Timer(name=one, due_at_s=due_at_s) for one in ("ship", "pack")])
    row = saga(status=SAGA.COMPENSATING, tasks=(task("ship", Phase.WORKING), slow))
    await fill(store, replace(row, timers=timers.SerializeToString()))
    ship, pack, *_ = (await account_of(store, "order-process")).waits_for
    assert ship.startswith("billing/ORD-1 to finish its step 'ship', which it has taken on; asked ")
    assert "ago, asks again in 40" in ship
    assert pack.startswith("billing/ORD-1 to confirm the undo of 'pack', sent ") and "ago, asks again in 40" in pack


async def test_a_stuck_saga_waits_for_an_operator(store: MemoryStore) -> None:
    await fill(store, saga(status=SAGA.STUCK, stuck_reason="bill cannot be undone"))
    stuck, cure = (await account_of(store, "order-process")).waits_for
    assert stuck == "an operator: it is stuck: bill cannot be undone"
    assert "amends admin retry-saga order-process/ORD-1 --reason TEXT" in cure


async def test_conversations_are_those_of_the_rows_and_of_the_mail(store: MemoryStore) -> None:
    await fill(store, actor("sales", conversation=b"S" * 16), actor("billing"), mail(2))
    assert await conversations_of_key(store, "ORD-1") == [TALK, b"S" * 16]
    assert await conversations_of_key(store, "ORD-1", kind="sales") == [b"S" * 16]


def test_durations_are_said_as_people_say_them() -> None:
    said = [span(seconds) for seconds in (-1, 0.25, 5, 119, 150, 7_300, 200_000)]
    assert said == ["0 ms", "250 ms", "5.0 s", "119 s", "2 min", "2 h", "2 d"]


Works = Callable[[float], BusyHandler]


def work(number: int, key: str = "ORD-1", *, ran_s: float = 720.0, timeout_s: float = 0.0, timer: str = "") -> Works:
    return lambda now_s: BusyHandler(
        "Billing.charge", "billing", key, id_of(number), "shop.BillOrder", timer, now_s - ran_s, timeout_s
    )


async def tell(
    store: MemoryStore, *works: Works, node: str = "two", incarnation: str = "abc", ago_s: float = 0.0
) -> None:
    at_s = await store.now_s() - ago_s
    store.tell_busy(Busy(node, incarnation, at_s, at_s + 60.0, tuple(one(at_s) for one in works)))


async def busy_shop(store: MemoryStore, *, lease_s: float = 60.0) -> None:
    await join(store, "two", kinds=("billing",), lease_s=lease_s)
    await fill(store, actor("billing"), mail(2), mail(3))


async def test_a_handler_that_waits_for_long_is_named_with_its_node_and_when_it_is_cancelled(
    store: MemoryStore,
) -> None:
    await busy_shop(store)
    await tell(store, work(2, timeout_s=3600.0))
    account = await account_of(store, "billing")
    handler, cure, behind = account.waits_for
    assert handler == (
        "its handler Billing.charge (BillOrder) has been running on node two for 12 min, and waits; it is cancelled, "
        "and that run has failed, in 48 min (handler_timeout_s)"
    )
    assert cure.startswith("see what it waits for")
    assert behind.startswith("its turn to handle BillOrder")
    assert [one["id"] for one in as_listed(account, "busy")] == [id_of(2).hex()]


@pytest.mark.parametrize("lost", [False, True])
async def test_a_handler_that_blocks_its_node_is_named_whether_or_not_that_has_its_lease(
    store: MemoryStore, lost: bool
) -> None:
    await busy_shop(store, lease_s=-1.0 if lost else 60.0)
    await tell(store, work(2))
    handler, cure, _ = (await account_of(store, "billing")).waits_for
    assert handler.startswith(
        "its handler Billing.charge (BillOrder) has been running on node two for 12 min, and blocks"
    )
    assert ("it has lost its lease" in handler) == lost
    assert "end the process of two" in cure and "asyncio.to_thread" in cure


async def test_a_handler_of_a_node_that_was_evicted_is_named_beside_that_of_its_successor(store: MemoryStore) -> None:
    await busy_shop(store)
    await tell(store, work(2, ran_s=2400.0), node="one")
    await tell(store, work(2))
    lines = (await account_of(store, "billing")).waits_for
    assert [line for line in lines if "node one for 40 min" in line and "it has lost its lease" in line]
    assert [line for line in lines if "node two for 12 min" in line and "lease" not in line]


async def test_who_waits_behind_anothers_handler_that_blocks_their_owner_is_told_of_it(store: MemoryStore) -> None:
    await busy_shop(store, lease_s=-1.0)
    await tell(store, work(9, "ORD-9"), work(8, "ORD-8", timeout_s=3600.0))
    account = await account_of(store, "billing")
    blocked, cure = account.waits_for[2:]
    assert blocked == (
        "its owner's event loop has been blocked for 12 min by Billing.charge (BillOrder) of billing/ORD-9 on node "
        "two: nothing else runs there, and it has lost its lease by that"
    )
    assert "end the process of two" in cure
    assert [one["address"] for one in as_listed(account, "owner_blocked_by")] == ["billing/ORD-9"]
    await tell(store, work(9, "ORD-9"), node="one")
    await tell(store)
    assert "blocked for" not in str((await account_of(store, "billing")).waits_for), "that is not its owner"


async def test_what_a_node_that_is_gone_was_last_busy_with_is_told_as_that(store: MemoryStore) -> None:
    await fill(store, actor("billing"), mail(2))
    await tell(store, work(2), ago_s=2400.0)
    gone = (await account_of(store, "billing")).waits_for[0]
    assert gone == (
        "a node, again: two@abc, which has ended or stands still, was last busy with its handler Billing.charge "
        "(BillOrder), which had been running for 12 min, and blocked its event loop, 40 min ago"
    )
    await join(store, "two", kinds=("billing",))
    assert "busy" not in str((await account_of(store, "billing")).waits_for), "it lives, and tells of nothing more"


async def test_a_node_that_was_started_anew_runs_nothing_of_before(store: MemoryStore) -> None:
    await busy_shop(store)
    await tell(store, work(2), incarnation="before")
    lines = (await account_of(store, "billing")).waits_for
    assert "two@before, which has ended or stands still, was last busy with" in lines[0]
    assert "has been running" not in str(lines)


async def test_a_handler_whose_message_is_done_or_given_up_on_is_told_no_more(store: MemoryStore) -> None:
    await join(store, "two", kinds=("billing",))
    timers = durable_pb2.Timers(timers=[durable_pb2.Timer(name="remind", due_at_s=1.0)])
    await fill(store, actor("billing", timers=timers), mail(2, parked="ValueError: no"))
    await tell(store, work(2), work(3), work(4, timer="gone"))
    assert (await account_of(store, "billing")).works == ()
    await tell(store, work(4, timer="remind"))
    assert [one.timer for one in (await account_of(store, "billing")).works] == ["remind"]


def as_listed(account: Account, name: str) -> list[dict[str, object]]:
    """As --json has it."""
    listed: list[dict[str, object]] = json.loads(json.dumps(account_object(account)))[name]
    return listed
