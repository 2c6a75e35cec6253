"""`timers` lists what fires when, and `repair` moves a timer or cancels one; `explain` says what has no limit then."""

from __future__ import annotations

import asyncio
import json
import shlex
from dataclasses import replace

import pytest

from runtime.envelope import parse_address, shard_of
from runtime.errors import InvalidMessage
from runtime.operate.lookup import accounts
from runtime.operate.repairs import look_ahead, post, result_of
from runtime.operate.timers import TimersWanted, timer_place_of, timers
from runtime.protos import durable_pb2
from runtime.protos.choreography_pb2 import DeadlineRecord
from runtime.protos.lock_pb2 import LockRecord
from runtime.protos.saga_pb2 import KeyRecord, RepairSaga, SagaRecord
from runtime.saga.behaviour import SagaBehaviour
from runtime.store.memory import MemoryStore
from runtime.store.records import ActorRow, Subscription
from runtime.testing.transcript import SagaTranscript
from tests.unit.admin.test_repair import run
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.operate.rows import TALK, actor, fill, order, row_of
from tests.unit.operate.test_account import CONTRACTS
from tests.unit.saga.shop import PLACED, ShopProcess
from tests.unit.saga.test_approval import asked
from tests.unit.saga.test_timer_acts import cancelled

ADDRESS = "order-process/ORD-1"
MOVE = ("repair", "move-timer", ADDRESS, "--reason", "x")


def standing(**due: float) -> durable_pb2.Timers:
    return durable_pb2.Timers(timers=[durable_pb2.Timer(name=name, due_at_s=at_s) for name, at_s in due.items()])


def row_with_timers(story: SagaTranscript, key: str = "ORD-1") -> ActorRow:
    """The row that a node would have written of this story."""
    record, due = story.record, story.timers
    record.conversation = TALK
    row = row_of(record, key)
    return replace(row, timers=standing(**due).SerializeToString(), due_at_s=min(due.values(), default=None))


def filled(store: MemoryStore, *rows: ActorRow) -> None:
    asyncio.run(fill(store, *rows))


# --- the listing ---


def test_each_timer_is_listed_with_what_it_is_for_the_next_due_first(store: MemoryStore) -> None:
    filled(store, row_with_timers(SagaTranscript(ShopProcess).given(PLACED)))
    filled(store, actor("sales", "S-1", state=order(), timers=standing(remind=500.0)))
    told = json.loads(run(store, "timers", "--json").output)
    assert [(one["kind"], one["name"], one["purpose"]) for one in told] == [
        ("sales", "remind", "timer of a service"),
        ("order-process", "bill", "step timeout"),
        ("order-process", "saga deadline", "deadline of the saga"),
    ]
    table = run(store, "timers").output
    assert "order-process/ORD-1" in table and "step timeout" in table and " ago" in table


@pytest.mark.parametrize(
    ("state_type", "purpose"),
    [
        (DeadlineRecord, "deadline of a conversation"),
        (LockRecord, "expiry of a lock"),
        (KeyRecord, "time for which an early event is kept"),
    ],
)
def test_timers_of_the_runtime_s_own_actors_say_what_they_are_for(
    store: MemoryStore, state_type: type[DeadlineRecord | LockRecord | KeyRecord], purpose: str
) -> None:
    filled(store, actor("other", state_type=state_type.DESCRIPTOR.full_name, timers=standing(deadline=5.0)))
    (told,) = json.loads(run(store, "timers", "--json").output)
    assert told["purpose"] == purpose


def test_a_timer_of_a_saga_that_cannot_be_read_is_listed_all_the_same(store: MemoryStore) -> None:
    broken = actor(
        "order-process", state_type=SagaRecord.DESCRIPTOR.full_name, state=b"\xff\xff", timers=standing(a=5.0)
    )
    filled(store, broken)
    (told,) = json.loads(run(store, "timers", "--json").output)
    assert told["purpose"] == "unknown: the record of its saga cannot be read"


def test_a_timer_that_nothing_waits_for_any_more_says_so(store: MemoryStore) -> None:
    story = SagaTranscript(ShopProcess).given(PLACED)
    story.timers["ship"] = 5_000.0
    filled(store, row_with_timers(story))
    told = {one["name"]: one["purpose"] for one in json.loads(run(store, "timers", "--json").output)}
    assert told["ship"] == "nothing: what it was set for is settled"


def test_a_listing_goes_on_within_the_timers_of_one_actor(store: MemoryStore) -> None:
    filled(store, actor("sales", "A", timers=standing(a=1.0, b=2.0, c=9.0)))
    filled(store, actor("sales", "B", timers=standing(d=1.5)))
    found, more = list[str](), ""
    for _ in range(4):
        page = run(store, "timers", "--limit", "1", "--json", *(("--after", more) if more else ()))
        found += [one["name"] for one in json.loads(page.stdout)]
        more = page.stderr.partition("--after ")[2].strip()
    assert (found, more) == (["a", "b", "c", "d"], "")


def test_a_listing_is_narrowed_by_kind_key_and_instant(store: MemoryStore) -> None:
    filled(store, actor("sales", "A-1", timers=standing(a=1.0, b=60.0)))
    filled(store, actor("sales", "B-1", timers=standing(c=2.0)), actor("billing", "A-2", timers=standing(d=3.0)))

    def names(*arguments: str) -> list[str]:
        return [one["name"] for one in json.loads(run(store, "timers", "--json", *arguments).stdout)]

    assert names("--kind", "sales") == ["a", "b", "c"]
    assert names("--key", "A-") == ["a", "b", "d"]
    assert names("--before", "1970-01-01T00:00:02.5Z") == ["a", "c"]
    assert names("--before", "1970-01-01T01:00:02.5+01:00") == ["a", "c"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("timers", "--before", "soon"), 2, "is no instant; write one like 2027-01-31T18:00Z"),
        (("timers", "--before", "2027-01-31T18:00"), 2, "has no time zone"),
        (("timers", "--after", "1/2"), 2, "is no place in a listing of timers"),
        (("timers", "--after", "nan/1.0/a/sales/A"), 2, "is no place in a listing of timers"),
        (("timers", "--kind", "slaes"), 4, "has never heard of the kind 'slaes'"),
        ((*MOVE, "--timer", "bill", "--now", "--in", "5"), 2, "leave two of them out"),
        ((*MOVE, "--timer", "bill", "--in", "nan"), 2, "is no number of seconds"),
        ((*MOVE, "--timer", "bill", "--preview"), 5, "say when it fires"),
        ((*MOVE, "--timer", "ship", "--now", "--preview"), 5, "there are bill"),
    ],
)
def test_errors_teach(store: MemoryStore, arguments: tuple[str, ...], code: int, said: str) -> None:
    filled(store, row_with_timers(SagaTranscript(ShopProcess).given(PLACED)))
    done = run(store, *arguments)
    assert done.exit_code == code and said in done.output, done.output


async def test_a_place_survives_its_text(store: MemoryStore) -> None:
    await fill(store, actor("sales", "A/1 é", timers=standing(**{"a/b c": 1.0, "d": 2.0})))
    page = await timers(store, TimersWanted(), limit=1)
    assert page.next is not None and timer_place_of(page.next.text) == page.next
    with pytest.raises(InvalidMessage, match="no number"):
        TimersWanted(before_s=float("nan"))


# --- the acts ---


def test_a_node_fires_at_once_a_timer_that_is_moved_to_now() -> None:
    async def scenario() -> None:
        node = await LocalNode([SagaBehaviour(ShopProcess)]).start()
        row = row_with_timers(SagaTranscript(ShopProcess, now_s=node.ports.clock.now_s()).given(PLACED))
        await fill(node.store, replace(row, shard=shard_of("ORD-1", node.limits.shards_per_kind)))
        act = RepairSaga(act=RepairSaga.MOVE_TIMER, timer="bill", in_s=0.0, who="ann", reason="the bank is down")
        posted = await post(node.store, ("order-process", "ORD-1"), act, node.ports.clock.now_s())
        await node.sleep(10.0)
        result = await result_of(node.store, posted)
        assert result is not None and result.text == "fires timer bill (step timeout) now"
        (found,) = await node.store.load([("order-process", "ORD-1")])
        assert found is not None
        record = SagaRecord.FromString(found.state)
        assert record.reason == "bill: no answer by the instant to which ann moved its timer"
        await node.stop()

    in_virtual_time(scenario)


async def test_explain_says_of_a_limit_that_was_cancelled_that_there_is_none(store: MemoryStore) -> None:
    await fill(store, row_with_timers(asked(), "A"), row_with_timers(cancelled(asked(), "boss"), "B"))
    (limited,), (endless,) = await accounts(store, CONTRACTS, "A"), await accounts(store, CONTRACTS, "B")
    assert any(line.startswith("a person to approve 'boss': ") for line in limited.waits_for)
    assert any(line.startswith("a person to approve 'boss', without a time limit: ") for line in endless.waits_for)


async def test_explain_says_who_has_cancelled_the_deadline(store: MemoryStore) -> None:
    story = cancelled(SagaTranscript(ShopProcess).given(PLACED), "saga deadline")
    await fill(store, row_with_timers(story))
    (account,) = await accounts(store, CONTRACTS, "ORD-1")
    assert "its end, without a deadline, which was cancelled by ann: a call" in account.waits_for


def test_many_sagas_have_the_same_timer_moved(store: MemoryStore) -> None:
    filled(store, *(row_with_timers(SagaTranscript(ShopProcess).given(PLACED), f"ORD-{n}") for n in (1, 2)))
    chosen = ("--name", "run", "--kind", "order-process", "--reason", "x", "--timer", "bill", "--in", "600")
    done = run(store, "repair-many", "move-timer", *chosen, "--yes", "--wait", "0")
    assert done.exit_code == 9 and "2 left" in done.output, done.output
    letters = asyncio.run(store.mail_of_conversation(TALK))
    assert len(letters) == 2


@pytest.mark.parametrize(
    ("state_type", "reason"),
    [(LockRecord, "Repair or cancel the saga that holds it"), (KeyRecord, "Say the event again once the saga waits")],
)
@pytest.mark.parametrize("more", [(), ("--preview", "--catalogue", "actors.catalogue:catalogue")])
def test_a_timer_that_no_act_can_change_says_why_and_what_to_do_instead(
    store: MemoryStore, state_type: type[LockRecord | KeyRecord], reason: str, more: tuple[str, ...]
) -> None:
    filled(store, actor("lock", state_type=state_type.DESCRIPTOR.full_name, timers=standing(expiry=5.0)))
    done = run(store, "repair", "move-timer", "lock/ORD-1", "--reason", "x", "--timer", "expiry", "--now", *more)
    assert done.exit_code == 5 and reason in done.output, done.output


def test_a_timer_of_a_service_is_previewed_without_its_saga(store: MemoryStore) -> None:
    filled(store, actor("sales", "S-1", state=order(), timers=standing(remind=500.0)))
    act = ("repair", "cancel-timer", "sales/S-1", "--reason", "x", "--who", "ann", "--timer", "remind")
    done = run(store, *act, "--preview", "--catalogue", "actors.catalogue:catalogue")
    assert (done.exit_code, done.output.splitlines()) == (
        0,
        [
            "sales/S-1, at revision 2: cancels timer remind, by ann: x",
            "nothing is sent",
            "nothing was done: leave --preview out, and say --expect 2",
        ],
    )
    told = json.loads(run(store, *act, "--preview", "--catalogue", "actors.catalogue:catalogue", "--json").output)
    assert (told["revision"], told["refusal"]) == (2, "")


async def with_deadline(store: MemoryStore, record: DeadlineRecord, **due: float) -> str:
    """Keeps this deadline, for the conversation of sales/S-1; gives the address of what keeps it."""
    keeper = actor(
        "flow-deadline",
        TALK.hex(),
        state_type="amends.DeadlineRecord",
        state=record.SerializeToString(),
        timers=standing(**due),
    )
    await store.subscribe([Subscription("shop.Begun", "flow-deadline", "", "flow", True)], kind="flow-deadline")
    await fill(store, keeper, actor("sales", "S-1", state=order()))
    return f"flow-deadline/{TALK.hex()}"


CANCELLED = DeadlineRecord(status=DeadlineRecord.UNLIMITED, process="flow", awaited=["shop.Done"], cancelled="ann: x")


async def test_explain_says_of_a_deadline_that_was_cancelled_that_there_is_none_and_how_it_is_set_again(
    store: MemoryStore,
) -> None:
    keeper = await with_deadline(store, CANCELLED)
    (account,) = await accounts(store, CONTRACTS, "S-1")
    assert any(
        "Done, expected by flow without a deadline, which was cancelled by ann: x" in line for line in account.waits_for
    )
    again = f"amends admin repair move-timer {keeper} --timer deadline --in 3600 --expect 2 --reason TEXT"
    assert account.can_do == (f"timer deadline, which was cancelled: it is set again: {again}",)
    (own,) = await accounts(store, CONTRACTS, keeper)
    assert own.can_do == account.can_do


async def test_explain_offers_the_acts_on_a_deadline_to_who_looks_at_the_conversation(store: MemoryStore) -> None:
    now_s = await store.now_s()
    record = DeadlineRecord(status=DeadlineRecord.WATCHED, process="flow", awaited=["shop.Done"], due_at_s=now_s + 60.0)
    keeper = await with_deadline(store, record, deadline=now_s + 60.0)
    (account,) = await accounts(store, CONTRACTS, "S-1")
    assert [line.partition(" --expect")[0] for line in account.can_do] == [
        f"timer deadline: it fires now: amends admin repair move-timer {keeper} --timer deadline --now",
        f"timer deadline: it does not fire: amends admin repair cancel-timer {keeper} --timer deadline",
    ]


def test_the_acts_on_timers_of_a_service_are_commands_that_can_be_copied(store: MemoryStore) -> None:
    filled(store, actor("sales", "S 1", state=order(), timers=standing(**{"remind me": 500.0, "later": 900.0})))
    told = json.loads(run(store, "explain", "S 1", "--json").output)
    assert [line.partition(": amends admin ")[0] for line in told[0]["can_do"]] == [
        "timer remind me: it fires now",
        "timer remind me: it does not fire",
        "timer later: it fires now",
        "timer later: it does not fire",
    ]
    for line in told[0]["can_do"]:
        command = shlex.split(line.partition("amends admin ")[2])
        done = run(store, *command, "--preview", "--catalogue", "actors.catalogue:catalogue")
        assert done.exit_code == 0 and "timer" in done.output, done.output


@pytest.mark.parametrize("state_type", [LockRecord, KeyRecord, SagaRecord])
async def test_no_act_is_offered_on_a_timer_that_none_can_change(
    store: MemoryStore, state_type: type[LockRecord | KeyRecord | SagaRecord]
) -> None:
    """The record of this saga cannot be read, so that nobody knows what its timer is for."""
    state = b"\xff\xff" if state_type is SagaRecord else b""
    await fill(store, actor("a", state_type=state_type.DESCRIPTOR.full_name, state=state, timers=standing(expiry=5.0)))
    (account,) = await accounts(store, CONTRACTS, "ORD-1")
    assert account.can_do == ()


async def test_of_many_timers_the_acts_on_the_next_five_are_offered(store: MemoryStore) -> None:
    await fill(store, actor("sales", "S-1", state=order(), timers=standing(**{f"t{n}": 100.0 + n for n in range(30)})))
    (account,) = await accounts(store, CONTRACTS, "S-1")
    assert len(account.can_do) == 10 and "timer t4: it does not fire" in account.can_do[-1]


async def test_a_cancelled_deadline_is_previewed_as_set_again(store: MemoryStore) -> None:
    keeper = await with_deadline(store, CANCELLED)
    act = RepairSaga(act=RepairSaga.MOVE_TIMER, timer="deadline", in_s=60.0, who="ann", reason="open again")
    seen = await look_ahead(store, parse_address(keeper), act, (), 100.0)
    assert (seen.refusal, seen.timers) == ("", (("deadline", 160.0),))
    assert "moves timer deadline, which was cancelled, to" in seen.text
