"""Turns that follow from one another on one node are committed as one; what cannot follow becomes mail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from protos.billing_pb2 import BillOrder, BillState
from runtime.durable.behaviour import SetTimer
from runtime.durable.residence.memory import ActivationReloaded
from runtime.failpoints import Failpoint
from runtime.store.records import Expected, Outcome, Transition, Verdict
from tests.unit.durable.link import ChainLink, to
from tests.unit.durable.local import LocalNode, in_virtual_time
from tests.unit.durable.street import SHORT, street
from tests.unit.durable.till import CONVERSATION, Post


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    in_virtual_time(test)


def test_turns_that_follow_from_one_another_are_one_commit_and_no_mail() -> None:
    async def scenario() -> None:
        sales = ChainLink("sales", sends={2: (to("warehouse", 3),)})
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2),)}), sales=sales) as one:
            await one.begin(1)
            assert one.store.turns == [["billing", "sales", "warehouse"]]
            assert one.store.posted == []
            rows = await one.store.conversation(CONVERSATION)
            assert [(row.kind, row.outcome, row.attempts) for row in rows] == [
                (kind, Outcome.HANDLED, 1) for kind in ("billing", "sales", "warehouse")
            ], "the history tells of each, the cause before its effect"
            assert [row.cause for row in rows[1:]] == [row.id for row in rows[:-1]]

    run(scenario)


def test_no_chain_begins_where_nothing_was_sent_to_an_actor_of_the_node() -> None:
    async def scenario() -> None:
        local = await LocalNode([ChainLink("billing", sends={1: (to("sales", 2),)})]).start()
        borrow, asked = local.router.borrow, []

        def borrowing(envelope: Any) -> Any:
            asked.append(envelope.kind)
            return borrow(envelope)

        local.router.borrow = borrowing  # type: ignore[method-assign]  # this object alone
        post = Post(local)
        await post.send(post.bill(1))
        await local.sleep(1.0)
        assert [row.kind for row in await local.store.mail_of_conversation(CONVERSATION)] == ["sales"]
        assert asked == []
        await local.stop()

    run(scenario)


def test_an_actor_that_is_met_again_goes_on_in_the_same_turn() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2, "K"),), 3: (to("sales", 4, "K"),)})
        sales = ChainLink("sales", sends={2: (to("billing", 3, "ORD-1"),)})
        async with street(billing=billing, sales=sales) as one:
            await one.begin(1)
            assert one.store.turns == [["billing", "sales"]]
            assert (await one.heard("billing", "ORD-1"), await one.heard("sales")) == ("1 3", "2 4")
            assert [(await one.local.row(*at)).revision for at in (("billing", "ORD-1"), ("sales", "K"))] == [1, 1]

    run(scenario)


def test_a_kind_that_may_touch_what_is_outside_runs_once_its_message_is_committed() -> None:
    async def scenario() -> None:
        sales = ChainLink("sales", runs_in_chains=False)
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2),)}), sales=sales) as one:
            await one.begin(1)
            assert one.store.turns == [["billing"], ["sales"]]
            assert one.store.posted == ["sales"]

    run(scenario)


def test_a_message_for_later_is_mail_until_then() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing")
        async with street(billing=billing) as one:
            billing.sends[1] = (to("sales", 2, due_at_s=one.local.ports.clock.now_s() + 5),)
            await one.begin(1)
            assert (one.store.turns, one.store.posted) == ([["billing"]], ["sales"])
            await one.local.sleep(6)
            assert one.store.turns == [["billing"], ["sales"]]

    run(scenario)


def test_an_undo_asks_the_store_first_and_so_is_never_in_a_chain() -> None:
    async def scenario() -> None:
        undo = to("sales", 2, undo_of=b"u" * 16)
        async with street(billing=ChainLink("billing", sends={1: (undo,)})) as one:
            await one.begin(1)
            assert one.links["sales"].runs == []
            assert one.store.posted[0] == "sales"
            assert await one.outcomes("sales") == [Outcome.UNDONE, Outcome.UNDONE]

    run(scenario)


def test_a_handler_that_fails_cuts_the_chain_and_its_message_is_retried_as_mail() -> None:
    async def scenario() -> None:
        sales = ChainLink("sales", sends={2: (to("warehouse", 3),)})
        billing, warehouse = ChainLink("billing", sends={1: (to("sales", 2),)}), ChainLink("warehouse", fails={3: 2})
        async with street(billing=billing, sales=sales, warehouse=warehouse) as one:
            await one.begin(1)
            assert one.store.turns[0] == ["billing", "sales"]
            assert one.store.posted == ["warehouse"]
            assert one.reached(Failpoint.CHAIN_CUT) == 1
            assert await one.heard("warehouse") == ""
            await one.local.sleep(10)
            assert warehouse.runs == [3, 3, 3]
            assert await one.heard("warehouse") == "3", "nothing of the runs that failed is left"

    run(scenario)


def test_a_failure_takes_back_only_what_its_own_message_has_done() -> None:
    """The actor was in the chain before, and its earlier message stays handled."""

    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2), to("sales", 3), to("warehouse", 4))})
        sales = ChainLink("sales", fails={3: 1})
        async with street(billing=billing, sales=sales) as one:
            await one.begin(1)
            assert one.store.turns[0] == ["billing", "sales", "warehouse"]
            assert one.store.posted == ["sales"]
            assert await one.heard("sales") == "2 3"

    run(scenario)


def test_a_handler_that_waits_holds_up_nobody_and_runs_as_mail() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        sales = ChainLink("sales", waits={2: gate})
        async with street(
            billing=ChainLink("billing", sends={1: (to("sales", 2), to("warehouse", 3))}), sales=sales
        ) as one:
            await one.begin(1)
            assert one.store.turns == [["billing", "warehouse"]]
            gate.set()
            await one.local.sleep(1)
            assert one.store.turns == [["billing", "warehouse"], ["sales"]]
            assert await one.heard("sales") == "2"

    run(scenario)


def test_i7_once_a_message_is_left_all_later_ones_to_its_actor_are() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2), to("sales", 3))})
        sales = ChainLink("sales", fails={2: 1}, retries=replace(ChainLink("sales").retries, delays=(0.01,)))
        async with street(billing=billing, sales=sales) as one:
            await one.begin(1, wait_s=5)
            assert one.store.posted == ["sales", "sales"]
            assert await one.heard("sales") == "2 3"

    run(scenario)


def test_i7_an_actor_with_mail_in_memory_is_in_no_chain() -> None:
    """What was sent to it before comes first."""

    async def scenario() -> None:
        gate = asyncio.Event()
        billing = ChainLink("billing", sends={1: (to("sales", 2),), 4: (to("sales", 5),)})
        sales = ChainLink("sales", runs_in_chains=True, waits={2: gate})
        async with street(billing=billing, sales=sales) as one:
            await one.begin(1)
            assert sales.runs == [2, 2], "once in the chain, and now as mail"
            await one.begin(4)
            assert sales.runs == [2, 2]
            gate.set()
            await one.local.sleep(1)
            assert await one.heard("sales") == "2 5"

    run(scenario)


def test_i7_an_actor_whose_mail_has_not_begun_its_turn_yet_is_in_no_chain() -> None:
    async def scenario() -> None:
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2, "S"),)})) as one:
            early = one.post.bill(7, kind="sales", key="S")
            borrow = one.local.router.borrow

            def borrowing(envelope: Any) -> Any:
                if envelope.id != early.id:
                    one.local.router.route(early)  # It lies in the mailbox when the chain comes.
                return borrow(envelope)

            one.local.router.borrow = borrowing  # type: ignore[method-assign]  # this object alone
            await Post(one.local, "S").store(early)
            await one.begin(1)
            assert await one.heard("sales", "S") == "7 2"

    run(scenario)


def test_mail_that_comes_while_an_actor_is_in_a_chain_has_its_turn_after_it() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2, "S"), to("warehouse", 3))})
        async with street(billing=billing) as one:
            late = one.post.bill(7, kind="sales", key="S")
            row = Post(one.local, "S")
            borrow = one.local.router.borrow

            def borrowing(envelope: Any) -> Any:
                found = borrow(envelope)
                if envelope.kind == "warehouse":  # By then `sales/S` has run in the chain.
                    one.local.router.route(late)
                return found

            one.local.router.borrow = borrowing  # type: ignore[method-assign]  # this object alone
            await row.store(late)
            await one.begin(1)
            assert await one.heard("sales", "S") == "2 7"
            assert one.store.turns == [["billing", "sales", "warehouse"], ["sales"]]

    run(scenario)


def test_the_first_actor_of_a_chain_takes_no_part_in_it_once_it_has_put_something_off() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 5),)}, fails={2: 1})
        sales = ChainLink("sales", sends={5: (to("billing", 3, "ORD-1"),)})
        async with street(billing=billing, sales=sales) as one:
            await one.post.store(first := one.post.bill(1), second := one.post.bill(2))
            await one.post.push(first, second)
            await one.local.sleep(10)
            assert await one.heard("billing", "ORD-1") == "1 2 3"

    run(scenario)


def test_what_is_sent_twice_under_one_id_is_handled_once() -> None:
    async def scenario() -> None:
        twice = replace(to("sales", 2), id=b"twice" + bytes(11))
        async with street(billing=ChainLink("billing", sends={1: (twice, twice)})) as one:
            await one.begin(1)
            assert one.links["sales"].runs == [2]
            assert one.store.turns == [["billing", "sales"]]

    run(scenario)


def test_a_chain_that_is_refused_has_never_been_and_its_first_actor_goes_on_alone() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2),), 4: (to("sales", 5),), 8: (to("sales", 9),)})
        async with street(billing=billing) as one:
            await one.begin(1)
            row = await one.local.row("sales", "K")
            other = replace(row, revision=2, last_id=b"o" * 16, state=BillState(reason="2 other ").SerializeToString())
            foreign = Transition(actor=other, expected=Expected(row.revision, row.last_id))
            assert await one.store.commit([foreign]) == [Verdict.COMMITTED]
            await one.begin(4, wait_s=3)
            assert await one.heard("billing", "ORD-1") == "1 4"
            assert await one.heard("sales") == "2 other 5"
            assert one.store.turns[2:] == [["billing"], ["sales"]], (
                "first the chain was refused; then each had its turn"
            )
            another = Post(one.local, "ORD-2")
            await another.send(another.bill(8))
            await one.local.sleep(1)
            assert one.store.turns[4:] == [["billing", "sales"]], "and after that it is in chains again"

    run(scenario)


def test_a_store_that_fails_loses_nothing_of_a_chain() -> None:
    async def scenario() -> None:
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2),)})) as one:
            one.store.groups_fail = 1
            await one.begin(1, wait_s=5)
            assert (await one.heard("billing", "ORD-1"), await one.heard("sales")) == ("1", "2")
            assert len(one.local.facts_of(ActivationReloaded)) == 2

    run(scenario)


def test_an_actor_that_is_taken_for_new_and_is_not_is_read_after_the_store_has_refused_it() -> None:
    async def scenario() -> None:
        billing = ChainLink("billing", sends={1: (to("sales", 2, "old"),), 3: (to("sales", 4, "new"),)})
        async with street(billing=billing) as one:
            await one.begin(1)
            [old] = await one.store.load([("sales", "old")])
            assert old is not None
            residents = one.local.shards.sweepers["sales"].residents
            residents.drop_all()
            newcomers = residents.chains.newcomers
            newcomers.sure_after = 1
            assert newcomers.are_likely, "the only row that was looked for was not there"
            billing.sends[5] = (to("sales", 6, "old"),)
            await one.begin(5, wait_s=3)
            assert await one.heard("sales", "old") == "2 6"
            assert not newcomers.are_likely

    run(scenario)


def test_an_actor_whose_turn_was_given_back_is_not_taken_for_new_any_more() -> None:
    async def scenario() -> None:
        sales = ChainLink("sales")
        billing = ChainLink("billing", sends={1: (to("sales", 2, "old"),), 5: (to("sales", 6, "old"),)})
        async with street(billing=billing, sales=sales) as one:
            await one.begin(1)
            residents = one.local.shards.sweepers["sales"].residents
            residents.drop_all()
            residents.chains.newcomers.sure_after = 0
            sales.fails[6] = 1
            await one.begin(5, wait_s=10)
            assert await one.heard("sales", "old") == "2 6"
            assert one.local.facts_of(ActivationReloaded) == [], "nothing was refused"

    run(scenario)


@pytest.mark.parametrize(("messages_max", "turns"), [(0, 3), (1, 2), (2, 1)])
def test_a_chain_has_no_more_messages_than_the_setting_says(messages_max: int, turns: int) -> None:
    async def scenario() -> None:
        sales = ChainLink("sales", sends={2: (to("warehouse", 3),)})
        limits = replace(SHORT, chain_messages_max=messages_max)
        async with street(limits, billing=ChainLink("billing", sends={1: (to("sales", 2),)}), sales=sales) as one:
            await one.begin(1)
            assert len(one.store.turns) == turns
            assert await one.heard("warehouse") == "3"

    run(scenario)


def test_a_chain_that_never_ends_is_cut_again_and_again() -> None:
    """Two actors that answer each other: each commit has a bounded part of it, and others come in between."""

    async def scenario() -> None:
        billing = ChainLink("billing", sends={n: (to("sales", n + 1, "K"),) for n in range(1, 400, 2)})
        sales = ChainLink("sales", sends={n: (to("billing", n + 1, "ORD-1"),) for n in range(2, 400, 2)})
        async with street(billing=billing, sales=sales) as one:
            await one.begin(1, wait_s=5)
            assert len(one.store.turns) > 400 / 64
            assert (await one.heard("billing", "ORD-1")).split() == [str(n) for n in range(1, 401, 2)]
            assert (await one.heard("sales")).split() == [str(n) for n in range(2, 401, 2)]

    run(scenario)


def test_a_timer_that_is_set_in_a_chain_fires() -> None:
    async def scenario() -> None:
        sales = ChainLink("sales")
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2),)}), sales=sales) as one:
            sales.timers[2] = SetTimer("later", one.local.ports.clock.now_s() + 3, BillOrder(amount_cents=9))
            await one.begin(1)
            assert await one.heard("sales") == "2"
            await one.local.sleep(4)
            assert await one.heard("sales") == "2 9"

    run(scenario)


def test_a_caller_is_told_what_the_first_turn_has_said_once_all_of_the_chain_is_committed() -> None:
    async def scenario() -> None:
        async with street(billing=ChainLink("billing", sends={1: (to("sales", 2),)})) as one:
            told: list[str] = []
            answer = one.local.router.answer

            def answering(*about: Any) -> None:
                told.append(f"{len(one.store.turns)} commits")
                answer(*about)

            one.local.router.answer = answering  # type: ignore[method-assign, assignment]  # this object alone
            await one.begin(1, answer_to="node#1#9")
            assert told == ["1 commits"]

    run(scenario)
